/**
 * The host that a plug-in talks to: the contract's imports in a component, a fake one in tests.
 * Never holds anything else: whoever runs a plug-in installs its host first.
 */

let installed;

/** Makes `host` the one that plug-ins talk to; returns the one before. */
export function install(host) {
  const before = installed;
  installed = host;
  return before;
}

/** The host of this run. */
export function current() {
  if (!installed) throw new Error('no plug-in runs here; tests run one with "offstage/testkit"');
  return installed;
}
