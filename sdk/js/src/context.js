/**
 * The execution context of one plug-in run (IPluginExecutionContext) and its change log.
 *
 * Never changes a row or the request by itself: what a plug-in explicitly sets or removes is logged
 * in order, equal values too, and the host applies the log when the run returns.
 */

import { Entity, EntityReference } from "./entity.js";
import { codes, dataError } from "./errors.js";
import { current } from "./host.js";
import { OrganizationService } from "./service.js";

/** The row of the request, for changing: what is set and deleted is logged. */
export class Target extends Entity {
  #parameter;
  #entity;
  #log;

  constructor(parameter, entity, log) {
    super(entity.table, new Map(entity.entries()), entity);
    this.#parameter = parameter;
    this.#entity = entity;
    this.#log = log;
  }

  /** Sets a column; it counts as this plug-in's decision even if the value is the same. */
  set(column, value) {
    this.#entity.set(column, value);
    this.#log.push({ kind: "set-attribute", parameter: this.#parameter, column, value });
    return super.set(column, value);
  }

  /** Takes a column out of the request, so that it is left as it is stored. */
  delete(column) {
    this.#entity.delete(column);
    this.#log.push({ kind: "remove-attribute", parameter: this.#parameter, column });
    return super.delete(column);
  }
}

/**
 * The context that a plug-in gets. The properties of IPluginExecutionContext are in `properties`
 * and readable on the context itself (`context.depth`, `context.userId`); parameters and images are
 * objects by name. Every change goes through a method, or through `target`, that logs it.
 */
export class Context {
  constructor(properties) {
    this.changes = [];
    this.properties = properties;
    this.service = new OrganizationService();
    for (const name of Object.keys(properties)) {
      if (!(name in this)) Object.defineProperty(this, name, { get: () => properties[name] });
    }
  }

  /** An input parameter. */
  input(name) {
    const parameters = this.properties.inputParameters;
    if (!Object.hasOwn(parameters, name)) {
      const message = `message \`${this.properties.messageName}\` has no parameter \`${name}\``;
      throw dataError(message, codes.INVALID_ARGUMENT);
    }
    return parameters[name];
  }

  /** The row in `Target`, in Create, Update and Upsert. */
  get target() {
    return this.entity("Target");
  }

  /** The row in an input parameter, for changing. */
  entity(parameter) {
    const held = this.input(parameter);
    if (!(held instanceof Entity)) {
      const message = `parameter \`${parameter}\` of \`${this.properties.messageName}\` is no row`;
      throw dataError(message, codes.INVALID_ARGUMENT);
    }
    return new Target(parameter, held, this.changes);
  }

  /** The row before the main operation. */
  preImage(alias) {
    return this.#image("pre", this.properties.preEntityImages, alias);
  }

  /** The row after the main operation. */
  postImage(alias) {
    return this.#image("post", this.properties.postEntityImages, alias);
  }

  #image(kind, images, alias) {
    if (!Object.hasOwn(images, alias)) {
      const step = this.properties.stepKey;
      throw dataError(`step \`${step}\` has no ${kind} image \`${alias}\`; declare it in plugin.toml`);
    }
    return images[alias];
  }

  /** A reference to the row that the message is about. */
  get primaryReference() {
    const { primaryEntityName, primaryEntityId } = this.properties;
    if (primaryEntityId.isNil) throw dataError(`a row of \`${primaryEntityName}\` has no id here yet`);
    return new EntityReference(primaryEntityName, primaryEntityId);
  }

  /** Writes one line into the trace. */
  trace(text) {
    current().trace(String(text));
  }

  /**
   * IsOfflinePlayback: this is the second run, on the server. The host notices the question: what
   * only the offline run did is then carried over.
   */
  isOfflinePlayback() {
    return current().isOfflinePlayback();
  }

  /** The properties `level` operations up (1: ParentContext); `undefined` without one. */
  parentContext(level = 1) {
    return current().parentContext(level);
  }

  /** Sets an input parameter as a whole. */
  setInput(name, value) {
    this.#set("input", this.properties.inputParameters, name, value);
  }
  /** Takes an input parameter out. */
  removeInput(name) {
    this.#remove("input", this.properties.inputParameters, name);
  }
  /** Sets an output parameter. */
  setOutput(name, value) {
    this.#set("output", this.properties.outputParameters, name, value);
  }
  /** Takes an output parameter out. */
  removeOutput(name) {
    this.#remove("output", this.properties.outputParameters, name);
  }
  /** Sets a shared variable, for later steps of the same operation. */
  setSharedVariable(name, value) {
    this.#set("shared-variable", this.properties.sharedVariables, name, value);
  }
  /** Takes a shared variable out. */
  removeSharedVariable(name) {
    this.#remove("shared-variable", this.properties.sharedVariables, name);
  }

  #set(kind, held, name, value) {
    held[name] = value;
    this.changes.push({ kind: `set-${kind}`, parameter: name, value });
  }

  #remove(kind, held, name) {
    delete held[name];
    this.changes.push({ kind: `remove-${kind}`, parameter: name });
  }
}
