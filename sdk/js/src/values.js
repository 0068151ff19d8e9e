/**
 * The value of one column or parameter.
 *
 * | Column             | JavaScript                           |
 * |--------------------|--------------------------------------|
 * | no value           | `null`                               |
 * | yes/no             | `boolean`                            |
 * | whole number       | `number`, without a fraction         |
 * | big integer        | `bigint`                             |
 * | decimal            | `Decimal`                            |
 * | floating point     | `Double`                             |
 * | money              | `Money`                              |
 * | text               | `string`                             |
 * | date and time      | `Date`                               |
 * | picklist, status   | `OptionValue`                        |
 * | multi-select       | an array of `OptionValue`            |
 * | lookup             | `EntityReference`                    |
 * | unique identifier  | `Guid`                               |
 * | image, file        | `Uint8Array`                         |
 *
 * Never converts between types silently: a money column is not a decimal column.
 */

import { codes, dataError } from "./errors.js";

const DIGITS = /^[+-]?(\d+(\.\d*)?|\.\d+)$/;

/** A decimal number, exact, as its digits. */
export class Decimal {
  constructor(digits) {
    const text = typeof digits === "number" ? plain(digits) : String(digits);
    if (!DIGITS.test(text)) {
      throw dataError(`"${digits}" is no decimal number such as -12.50`, codes.INVALID_ARGUMENT);
    }
    this.digits = text;
  }

  /** The nearest floating-point number: for comparing and scoring, not for sums of money. */
  toNumber() {
    return Number(this.digits);
  }

  toString() {
    return this.digits;
  }

  valueOf() {
    return this.toNumber();
  }
}

/** An amount in the row's currency, to tell it from a decimal. */
export class Money extends Decimal {}

/** A number for a floating-point column; in arithmetic it is a number. */
export class Double {
  constructor(value) {
    this.value = Number(value);
  }

  valueOf() {
    return this.value;
  }
}

/** A picklist, state or status value, to tell it from a whole number. */
export class OptionValue {
  constructor(value) {
    this.value = Number(value);
  }

  valueOf() {
    return this.value;
  }
}

/** A parameter that is a list of references to rows. */
export class References extends Array {}

const GUID = /^\{?([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{12})\}?$/i;

/** The 128-bit row and operation id. Never made up: new ones come from `newGuid` and `keyedGuid`. */
export class Guid {
  constructor(high, low) {
    this.high = BigInt.asUintN(64, high);
    this.low = BigInt.asUintN(64, low);
  }

  /** Reads `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx`, with or without braces. */
  static parse(text) {
    const found = GUID.exec(text);
    if (!found) throw dataError(`"${text}" is no GUID`, codes.INVALID_ARGUMENT);
    const digits = found.slice(1).join("");
    return new Guid(BigInt(`0x${digits.slice(0, 16)}`), BigInt(`0x${digits.slice(16)}`));
  }

  get isNil() {
    return this.high === 0n && this.low === 0n;
  }

  equals(other) {
    return other instanceof Guid && this.high === other.high && this.low === other.low;
  }

  toString() {
    const digits = this.high.toString(16).padStart(16, "0") + this.low.toString(16).padStart(16, "0");
    return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
  }

  toJSON() {
    return this.toString();
  }
}

/** The empty GUID, all zeros. */
export const NIL = new Guid(0n, 0n);

/** Digits without an exponent; numbers that need one are refused. */
function plain(value) {
  const text = String(value);
  if (!DIGITS.test(text)) {
    throw dataError(`${value} has no exact digits; give them as text`, codes.INVALID_ARGUMENT);
  }
  return text;
}
