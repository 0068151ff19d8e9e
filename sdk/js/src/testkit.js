/**
 * Runs plug-ins natively, against rows in memory, for unit tests.
 *
 *     const organization = new Organization(account);
 *     const run = organization.run("contoso.TrimName", "Create", new Entity("contact", { lastname: " Lee " }));
 *     assert.equal(run.target.get("lastname"), "Lee");
 *
 * Never a second pipeline: it runs one plug-in type, not its steps, and answers its requests from
 * rows and nothing else. What both runs make of it is tested with the package itself, by
 * `plugin check`.
 */

import { createHash } from "node:crypto";

import { Context } from "./context.js";
import { find } from "./definition.js";
import { Entity, EntityReference } from "./entity.js";
import { codes, PluginError } from "./errors.js";
import { install } from "./host.js";
import { Decimal, Guid, NIL } from "./values.js";

export const NOW = new Date("2026-03-01T08:30:00Z");
export const USER = new Guid(0n, 0xa1n);

const derived = (text) => {
  const digest = createHash("sha256").update(text).digest();
  return new Guid(digest.readBigUInt64BE(0), digest.readBigUInt64BE(8));
};

const DEFAULTS = {
  businessUnitId: NIL,
  correlationId: NIL,
  depth: 1,
  initiatingUserId: USER,
  userId: USER,
  authenticatedUserId: USER,
  outputParameters: {},
  isExecutingOffline: false,
  isInTransaction: true,
  isolationMode: 2,
  mode: 0,
  operationId: NIL,
  operationCreatedOn: NOW,
  organizationId: NIL,
  organizationName: "",
  environmentId: "",
  owningExtension: new EntityReference("sdkmessageprocessingstep", NIL),
  stepKey: "",
  secondaryEntityName: "",
  requestId: NIL,
  sharedVariables: {},
  stage: 20,
  initiatingUserAgent: "",
  isApplicationUser: false,
  configuration: "",
  secureConfiguration: "",
};

/** Rows, and the answers to a plug-in's requests. `faults` are given by message name. */
export class Organization {
  constructor(...rows) {
    this.rows = new Map(rows.map((row) => [keyOf(row.table, row.id), row]));
    this.faults = {};
    this.playback = false;
  }

  /** Runs a plug-in type on a message with this `Target`; throws what it throws. */
  run(type, message, target, properties = {}) {
    const context = new Context({
      ...structuredCloneOf(DEFAULTS),
      messageName: message,
      inputParameters: { Target: target },
      preEntityImages: {},
      postEntityImages: {},
      primaryEntityName: target.table,
      primaryEntityId: target.id ?? NIL,
      ...properties,
    });
    const host = new Host(this);
    const before = install(host);
    try {
      find(type)(context);
    } finally {
      install(before);
    }
    return { target, context, changes: context.changes, trace: host.lines, requests: host.requests };
  }

  /** A row; `undefined` if there is none. */
  row(table, id) {
    return this.rows.get(keyOf(table, id));
  }

  /** The rows of a table, in the order they came. */
  table(table) {
    return [...this.rows.values()].filter((row) => row.table === table);
  }
}

const keyOf = (table, id) => `${table} ${id}`;
/** Parameters and variables of one run are its own. */
const structuredCloneOf = (defaults) => ({ ...defaults, outputParameters: {}, sharedVariables: {} });

/** The contract, answered from an organization. */
class Host {
  constructor(organization) {
    this.organization = organization;
    this.lines = [];
    this.requests = [];
    this.ids = 0;
    this.randoms = 0;
  }

  execute(message, parameters) {
    this.requests.push({ message, parameters });
    const fault = this.organization.faults[message];
    if (fault) throw fault;
    return ANSWERS[message]?.call(this, parameters) ?? {};
  }

  stored(table, id) {
    const row = this.organization.row(table, id);
    if (row) return row;
    const code = codes.OBJECT_DOES_NOT_EXIST;
    throw new PluginError(`${table} with id ${id} does not exist`, { code });
  }

  parentContext() {
    return undefined;
  }
  isOfflinePlayback() {
    return this.organization.playback;
  }
  now() {
    return new Date(NOW);
  }
  serverNow() {
    return new Date();
  }
  newGuid() {
    return derived(`id ${++this.ids}`);
  }
  random() {
    return derived(`random ${++this.randoms}`).high;
  }
  keyedGuid(key) {
    return derived(`key ${key}`);
  }
  trace(text) {
    this.lines.push(text);
  }
}

const ANSWERS = {
  Create({ Target: target }) {
    const id = target.id ?? this.newGuid();
    const key = keyOf(target.table, id);
    if (this.organization.rows.has(key)) {
      throw new PluginError("a row with this id exists already", { code: codes.DUPLICATE_RECORD });
    }
    this.organization.rows.set(key, new Entity(target.table, new Map(target.entries()), { id }));
    return { id };
  },
  Update({ Target: target }) {
    const row = this.stored(target.table, target.id);
    for (const [column, value] of target.entries()) row.set(column, value);
  },
  Delete({ Target: target }) {
    this.stored(target.table, target.id);
    this.organization.rows.delete(keyOf(target.table, target.id));
  },
  Retrieve({ Target: target, ColumnSet: set }) {
    return { BusinessEntity: select(this.stored(target.table, target.id), set.columns) };
  },
  RetrieveMultiple({ Query: query }) {
    const found = this.organization.table(query.table).filter((row) => holds(query.filter, row));
    for (const { column, descending } of [...query.orders].reverse()) {
      const sign = descending ? -1 : 1;
      found.sort((a, b) => sign * order(plain(a.get(column)), plain(b.get(column))));
    }
    const entities = found
      .slice(0, query.top ?? query.pageSize ?? found.length)
      .map((row) => select(row, query.columns));
    const totalCount = query.totalCount ? BigInt(found.length) : undefined;
    return { BusinessEntityCollection: { table: query.table, entities, moreRecords: false, totalCount } };
  },
};

function select(row, columns) {
  const kept = row.entries().filter(([column]) => !columns || columns.includes(column));
  return new Entity(row.table, new Map(kept), { id: row.id });
}

const order = (a, b) => (a === b ? 0 : a === null || a < b ? -1 : 1);

/** What two values are compared by. */
function plain(value) {
  if (value instanceof EntityReference) return String(value.id);
  if (value instanceof Guid) return String(value);
  if (value instanceof Decimal || value instanceof Date) return value.valueOf();
  return typeof value === "object" && value !== null ? value.valueOf() : value;
}

function holds(filter, row) {
  if (!filter) return true;
  if (filter.kind === "all") return filter.filters.every((child) => holds(child, row));
  if (filter.kind === "any") return filter.filters.some((child) => holds(child, row));
  if (filter.kind === "negate") return !holds(filter.filter, row);
  if (filter.path.length) throw new Error("the testkit follows no lookups; test this with the package");
  const held = plain(row.get(filter.column));
  if (filter.operator === "is-null") return held === null;
  return held !== null && COMPARISONS[filter.operator](held, filter.values.map(plain));
}

const lower = (text) => text.toLowerCase();
const COMPARISONS = {
  equal: (held, [value]) => held === value,
  "not-equal": (held, [value]) => held !== value,
  "greater-than": (held, [value]) => held > value,
  "greater-equal": (held, [value]) => held >= value,
  "less-than": (held, [value]) => held < value,
  "less-equal": (held, [value]) => held <= value,
  "is-not-null": () => true,
  in: (held, values) => values.includes(held),
  "not-in": (held, values) => !values.includes(held),
  contains: (held, [value]) => lower(held).includes(lower(value)),
  "begins-with": (held, [value]) => lower(held).startsWith(lower(value)),
  "ends-with": (held, [value]) => lower(held).endsWith(lower(value)),
  "equal-user-id": (held) => held === String(USER),
  "not-equal-user-id": (held) => held !== String(USER),
};
