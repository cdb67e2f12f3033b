// TAP for the scripts here, as tests/support/tap.bash does it for those in bash.
import { isDeepStrictEqual } from 'node:util';

let count = 0,
  failures = 0;

// ok(NAME, FUNCTION): passes unless it throws; what it throws is shown.
export async function ok(name, run) {
  count++;
  try {
    await run();
    console.log(`ok ${count} - ${name}`);
  } catch (error) {
    failures++;
    console.log(`not ok ${count} - ${name}`);
    for (const line of String(error?.stack ?? error)
      .split('\n')
      .slice(0, 12))
      console.log(`#   ${line}`);
  }
}

export function is(got, expected, what = 'value') {
  if (!isDeepStrictEqual(got, expected)) throw new Error(`${what}: got ${show(got)}, expected ${show(expected)}`);
}
const show = (value) => (Buffer.isBuffer(value) ? value.toString('hex') : JSON.stringify(value));

// A mistake in the script itself is no refusal; what a library throws has a code, what we throw is an Error.
export function refused(run, what = 'it') {
  try {
    run();
  } catch (error) {
    if ((error instanceof TypeError || error instanceof ReferenceError) && !error.code) throw error;
    return;
  }
  throw new Error(`${what} was accepted`);
}

export const tally = (what, n) => console.log(`# tally: ${what} = ${n}`);

export function done() {
  console.log(`1..${count}`);
  process.exitCode = failures ? 1 : 0;
}
