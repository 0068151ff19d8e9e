/**
 * The query builder: a typed filter tree that becomes the contract's list of nodes. Never renders
 * text: values stay typed until the host binds them as parameters.
 */

/** All of these hold. */
export const all = (...filters) => ({ kind: "all", filters });
/** One of these holds. */
export const any = (...filters) => ({ kind: "any", filters });
/** This does not hold. */
export const not = (filter) => ({ kind: "negate", filter });

/** Starts a condition on a column of the queried table: `column("city").equals("Bonn")`. */
export const column = (name) => new Column(name, []);

/** A column to compare. A null column satisfies no comparison with a value. */
class Column {
  constructor(name, path) {
    this.name = name;
    this.path = path;
  }

  /** Takes the column from the table that these lookup columns lead to, the first one first. */
  through(...lookups) {
    return new Column(this.name, lookups);
  }

  #compare(operator, values = []) {
    return { kind: "condition", path: this.path, column: this.name, operator, values };
  }

  equals(value) {
    return this.#compare("equal", [value]);
  }
  notEquals(value) {
    return this.#compare("not-equal", [value]);
  }
  greaterThan(value) {
    return this.#compare("greater-than", [value]);
  }
  atLeast(value) {
    return this.#compare("greater-equal", [value]);
  }
  lessThan(value) {
    return this.#compare("less-than", [value]);
  }
  atMost(value) {
    return this.#compare("less-equal", [value]);
  }
  contains(text) {
    return this.#compare("contains", [text]);
  }
  beginsWith(text) {
    return this.#compare("begins-with", [text]);
  }
  endsWith(text) {
    return this.#compare("ends-with", [text]);
  }
  isNull() {
    return this.#compare("is-null");
  }
  isNotNull() {
    return this.#compare("is-not-null");
  }
  isIn(values) {
    return this.#compare("in", [...values]);
  }
  isNotIn(values) {
    return this.#compare("not-in", [...values]);
  }
  isCurrentUser() {
    return this.#compare("equal-user-id");
  }
  isNotCurrentUser() {
    return this.#compare("not-equal-user-id");
  }
}

/** A query over one table. The methods change it and return it, to build one in a chain. */
export class Query {
  constructor(table) {
    this.table = table;
    this.columns = undefined;
    this.filter = undefined;
    this.orders = [];
    this.top = undefined;
    this.pageSize = undefined;
    this.pagingCookie = undefined;
    this.totalCount = false;
  }

  /** Returns only these columns; without it, all that the caller may read. */
  select(...columns) {
    this.columns = columns;
    return this;
  }

  /** Adds a filter; several must all hold. */
  where(filter) {
    this.filter = this.filter ? all(this.filter, filter) : filter;
    return this;
  }

  /** Adds a sort key. */
  orderBy(name, { descending = false } = {}) {
    this.orders.push({ column: name, descending });
    return this;
  }

  /** Returns at most this many rows in all. */
  first(rows) {
    this.top = rows;
    return this;
  }

  /** Returns at most this many rows per page. */
  pagesOf(rows) {
    this.pageSize = rows;
    return this;
  }

  /** Starts after the page that returned this cookie. */
  after(cookie) {
    this.pagingCookie = cookie;
    return this;
  }

  /** Also counts all rows that match. */
  withTotalCount() {
    this.totalCount = true;
    return this;
  }
}
