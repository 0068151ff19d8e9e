/**
 * Makes the language's time and random numbers those of the operation, and its console the trace.
 *
 * A component has no clock and no source of randomness; without this both runs would read what the
 * build left behind. Only called inside a component: in tests the language stays as it is.
 */

function fillRandom(host, bytes) {
  for (let at = 0; at < bytes.length; at += 8) {
    let bits = host.random();
    for (let offset = at; offset < Math.min(at + 8, bytes.length); offset++) {
      bytes[offset] = Number(bits & 0xffn);
      bits >>= 8n;
    }
  }
}

function dateOf(host) {
  const Machine = Date;
  const millis = () => host.now().getTime();
  return new Proxy(Machine, {
    construct: (target, values, newTarget) =>
      Reflect.construct(target, values.length === 0 ? [millis()] : values, newTarget),
    apply: (target) => new target(millis()).toString(),
    get: (target, name, receiver) => (name === "now" ? millis : Reflect.get(target, name, receiver)),
  });
}

function cryptoOf(host) {
  return {
    getRandomValues(array) {
      fillRandom(host, new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
      return array;
    },
    randomUUID() {
      const bytes = new Uint8Array(16);
      fillRandom(host, bytes);
      bytes[6] = (bytes[6] & 0x0f) | 0x40;
      bytes[8] = (bytes[8] & 0x3f) | 0x80;
      const digits = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
      return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
    },
  };
}

/** Replaces what reads a clock or a source of randomness. */
export function makeDeterministic(host) {
  Math.random = () => Number(host.random() >> 11n) / 2 ** 53;
  const define = (name, value) =>
    Object.defineProperty(globalThis, name, { value, writable: true, configurable: true });
  define("Date", dateOf(host));
  define("crypto", cryptoOf(host));
  define("performance", { now: () => host.now().getTime(), timeOrigin: 0 });
  const line = (...values) => host.trace(values.map(String).join(" "));
  define("console", { log: line, info: line, warn: line, error: line, debug: line });
}
