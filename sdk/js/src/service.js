/**
 * The organization service (IOrganizationService).
 *
 * Every call is one request through the whole pipeline, in the caller's transaction. One that fails
 * throws a `PluginError` with the platform's code. A step that swallows it fails the whole request,
 * unless it says `on_nested_error = "catch"`.
 */

import { dataError } from "./errors.js";
import { current } from "./host.js";
import { OptionValue, References } from "./values.js";

const PAGE_SIZE = 500;

/** Sends requests to the host; get one from `context.service`. */
export class OrganizationService {
  /** Runs any message and returns its output parameters. */
  execute(message, parameters = {}) {
    return current().execute(message, parameters);
  }

  #answer(message, parameters, name) {
    const output = this.execute(message, parameters);
    if (output[name] == null) throw dataError(`message \`${message}\` answered without \`${name}\``);
    return output[name];
  }

  /** Makes a row and returns its id, which is derived from the operation if the row has none. */
  create(target) {
    return this.#answer("Create", { Target: target }, "id");
  }

  /** Reads one row; without columns, all of them. */
  retrieve(target, ...columns) {
    const wanted = { columns: columns.length ? columns : undefined };
    return this.#answer("Retrieve", { Target: target, ColumnSet: wanted }, "BusinessEntity");
  }

  /** Reads one page of rows: `{ entities, moreRecords, pagingCookie, totalCount }`. */
  retrieveMultiple(query) {
    return this.#answer("RetrieveMultiple", { Query: query }, "BusinessEntityCollection");
  }

  /** Reads all rows, page by page. The sandbox's limit of rows per query still holds. */
  *retrieveAll(query) {
    query.pageSize ??= PAGE_SIZE;
    for (;;) {
      const page = this.retrieveMultiple(query);
      yield* page.entities;
      if (!page.moreRecords || page.pagingCookie === undefined) return;
      query.after(page.pagingCookie);
    }
  }

  /** Changes the columns that the row mentions. */
  update(target) {
    this.execute("Update", { Target: target });
  }

  /** Changes the row, or makes it if it does not exist; returns `{ target, created }`. */
  upsert(target) {
    const output = this.execute("Upsert", { Target: target });
    return { target: output.Target, created: output.RecordCreated };
  }

  /** Deletes a row. */
  delete(target) {
    this.execute("Delete", { Target: target });
  }

  /** Links rows over a relationship. */
  associate(target, relationship, related) {
    this.#relate("Associate", target, relationship, related);
  }

  /** Unlinks rows of a relationship. */
  disassociate(target, relationship, related) {
    this.#relate("Disassociate", target, relationship, related);
  }

  #relate(message, target, relationship, related) {
    const rows = References.from(related);
    this.execute(message, { Target: target, Relationship: relationship, RelatedEntities: rows });
  }

  /** Sets a row's state and status. */
  setState(target, state, status) {
    this.execute("SetState", {
      EntityMoniker: target,
      State: new OptionValue(state),
      Status: new OptionValue(status),
    });
  }

  /** Gives a row to another user or team. */
  assign(target, assignee) {
    this.execute("Assign", { Target: target, Assignee: assignee });
  }
}
