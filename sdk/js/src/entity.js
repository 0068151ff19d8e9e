/**
 * Rows and references to rows. A row never loads what is missing: it holds what the request or the
 * query gave it.
 */

import { dataError } from "./errors.js";

/** A reference to one row. `name` is its primary name where the host knows it. */
export class EntityReference {
  constructor(table, id, name = undefined) {
    this.table = table;
    this.id = id;
    this.name = name;
  }

  /** Whether both name the same row, whatever name they show. */
  isSameRow(other) {
    return this.table === other?.table && this.id.equals(other.id);
  }
}

/** A row, or part of one: the columns that a request sets or a query returned. */
export class Entity {
  #attributes;

  constructor(table, attributes = {}, { id = undefined, rowVersion = undefined } = {}) {
    this.table = table;
    this.id = id;
    this.rowVersion = rowVersion;
    this.#attributes = attributes instanceof Map ? attributes : new Map(Object.entries(attributes));
  }

  /** The value of a column; `null` where it is cleared or not mentioned. */
  get(column) {
    return this.#attributes.get(column) ?? null;
  }

  /** Whether the column is mentioned, even as null. */
  has(column) {
    return this.#attributes.has(column);
  }

  /** Sets a column; `null` clears it. */
  set(column, value) {
    this.#attributes.set(column, value);
    return this;
  }

  /** Takes a column out, so that the request no longer mentions it. */
  delete(column) {
    this.#attributes.delete(column);
    return this;
  }

  /** The columns and values in the order they were set. */
  entries() {
    return [...this.#attributes];
  }

  /** A reference to the row. */
  get reference() {
    if (!this.id) throw dataError(`a row of \`${this.table}\` has no id here; only saved rows have one`);
    return new EntityReference(this.table, this.id);
  }

  /** This row with `changes` laid over it: what the row will be after an update. */
  overlaidWith(changes) {
    const attributes = new Map([...this.entries(), ...(changes?.entries() ?? [])]);
    return new Entity(this.table, attributes, { id: changes?.id ?? this.id });
  }
}
