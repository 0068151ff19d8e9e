/** Turns the contract's shapes into those of the SDK and back, by hand. Only used in a component. */

import { Entity, EntityReference } from "./entity.js";
import { codes, dataError } from "./errors.js";
import { Query } from "./query.js";
import { Decimal, Double, Guid, Money, OptionValue, References } from "./values.js";

export const guidFrom = ({ high, low }) => new Guid(high, low);
const guidTo = ({ high, low }) => ({ high, low });
const referenceFrom = ({ table, id, name }) => new EntityReference(table, guidFrom(id), name);
const referenceTo = ({ table, id, name }) => ({ table, id: guidTo(id), name });

const VALUES_FROM = {
  null: () => null,
  boolean: (value) => value,
  integer: (value) => value,
  "big-int": (value) => value,
  decimal: (value) => new Decimal(value),
  double: (value) => new Double(value),
  money: (value) => new Money(value),
  text: (value) => value,
  "date-time": (value) => new Date(Number(value)),
  "option-value": (value) => new OptionValue(value),
  "option-values": (values) => Array.from(values, (value) => new OptionValue(value)),
  reference: referenceFrom,
  "unique-identifier": guidFrom,
  bytes: (value) => value,
};

function valueFrom({ tag, val }) {
  return VALUES_FROM[tag](val);
}

function numberTo(value) {
  if (!Number.isInteger(value) || value !== (value | 0)) {
    const message = `${value} is no 32-bit whole number; use a Double, a Decimal or a bigint`;
    throw dataError(message, codes.INVALID_ARGUMENT);
  }
  return { tag: "integer", val: value };
}

function objectTo(value) {
  if (value instanceof Money) return { tag: "money", val: value.digits };
  if (value instanceof Decimal) return { tag: "decimal", val: value.digits };
  if (value instanceof Double) return { tag: "double", val: value.value };
  if (value instanceof OptionValue) return { tag: "option-value", val: value.value };
  if (value instanceof Date) return { tag: "date-time", val: BigInt(value.getTime()) };
  if (value instanceof EntityReference) return { tag: "reference", val: referenceTo(value) };
  if (value instanceof Guid) return { tag: "unique-identifier", val: guidTo(value) };
  if (value instanceof Uint8Array) return { tag: "bytes", val: value };
  if (Array.isArray(value)) return { tag: "option-values", val: Int32Array.from(value, Number) };
  throw dataError(`a ${value?.constructor?.name} is no value of a column`, codes.INVALID_ARGUMENT);
}

function valueTo(value) {
  if (value === null || value === undefined) return { tag: "null" };
  if (typeof value === "boolean") return { tag: "boolean", val: value };
  if (typeof value === "number") return numberTo(value);
  if (typeof value === "bigint") return { tag: "big-int", val: value };
  if (typeof value === "string") return { tag: "text", val: value };
  return objectTo(value);
}

function entityFrom({ table, id, rowVersion, attributes }) {
  const columns = new Map(attributes.map(({ column, value }) => [column, valueFrom(value)]));
  return new Entity(table, columns, { id: id && guidFrom(id), rowVersion });
}

function entityTo(entity) {
  const attributes = entity.entries().map(([column, value]) => ({ column, value: valueTo(value) }));
  const { table, id, rowVersion } = entity;
  return { table, id: id && guidTo(id), rowVersion, attributes };
}

const pageFrom = (page) => ({ ...page, entities: page.entities.map(entityFrom) });
const pageTo = (page) => ({ ...page, entities: page.entities.map(entityTo) });

/** Lays a filter tree out: children before parents, the root last. */
function filterTo(filter) {
  const nodes = [];
  const push = (node) => {
    const { kind, filters, filter: inner, path, column, operator, values } = node;
    if (kind === "condition") {
      const condition = { path, column, operator, values: values.map(valueTo) };
      nodes.push({ tag: "condition", val: condition });
    } else if (kind === "negate") {
      nodes.push({ tag: "negate", val: push(inner) });
    } else {
      nodes.push({ tag: kind, val: Uint32Array.from(filters, push) });
    }
    return nodes.length - 1;
  };
  if (filter) push(filter);
  return nodes;
}

function filterFrom(nodes) {
  const done = [];
  for (const { tag, val } of nodes) {
    if (tag === "condition") {
      done.push({ kind: tag, ...val, values: val.values.map(valueFrom) });
    } else if (tag === "negate") {
      done.push({ kind: tag, filter: done[val] });
    } else {
      done.push({ kind: tag, filters: Array.from(val, (child) => done[child]) });
    }
  }
  return done.at(-1);
}

const queryTo = (query) => ({ ...query, filter: filterTo(query.filter) });
const queryFrom = (query) =>
  Object.assign(new Query(query.table), query, { filter: filterFrom(query.filter) });

const PARAMETERS_FROM = {
  value: valueFrom,
  entity: entityFrom,
  entities: pageFrom,
  references: (rows) => References.from(rows, referenceFrom),
  columns: (columns) => ({ columns }),
  query: queryFrom,
};

function parameterTo(parameter) {
  if (parameter instanceof Entity) return { tag: "entity", val: entityTo(parameter) };
  if (parameter instanceof Query) return { tag: "query", val: queryTo(parameter) };
  if (parameter instanceof References) {
    return { tag: "references", val: Array.from(parameter, referenceTo) };
  }
  if (parameter?.constructor === Object && "entities" in parameter) {
    return { tag: "entities", val: pageTo(parameter) };
  }
  if (parameter?.constructor === Object && "columns" in parameter) {
    return { tag: "columns", val: parameter.columns };
  }
  return { tag: "value", val: valueTo(parameter) };
}

export function parametersFrom(parameters) {
  const read = ({ name, parameter }) => [name, PARAMETERS_FROM[parameter.tag](parameter.val)];
  return Object.fromEntries(parameters.map(read));
}

export function parametersTo(parameters) {
  return Object.entries(parameters).map(([name, held]) => ({ name, parameter: parameterTo(held) }));
}

const imagesFrom = (images) =>
  Object.fromEntries(images.map(({ alias, entity }) => [alias, entityFrom(entity)]));

const GUIDS = [
  "businessUnitId",
  "correlationId",
  "initiatingUserId",
  "userId",
  "authenticatedUserId",
  "operationId",
  "organizationId",
  "primaryEntityId",
  "requestId",
];

/** Every property has the same name on both sides; what differs is its shape. */
export function contextFrom(context) {
  const properties = { ...context };
  for (const name of GUIDS) properties[name] = guidFrom(context[name]);
  properties.operationCreatedOn = new Date(Number(context.operationCreatedOn));
  properties.owningExtension = referenceFrom(context.owningExtension);
  properties.inputParameters = parametersFrom(context.inputParameters);
  properties.outputParameters = parametersFrom(context.outputParameters);
  properties.sharedVariables = parametersFrom(context.sharedVariables);
  properties.preEntityImages = imagesFrom(context.preEntityImages);
  properties.postEntityImages = imagesFrom(context.postEntityImages);
  return properties;
}

export function changeTo({ kind, parameter, column, value }) {
  if (kind === "set-attribute") return { tag: kind, val: { parameter, column, value: valueTo(value) } };
  if (kind === "remove-attribute") return { tag: kind, val: { parameter, column } };
  if (kind.startsWith("set-")) {
    return { tag: kind, val: { name: parameter, parameter: parameterTo(value) } };
  }
  return { tag: kind, val: parameter };
}
