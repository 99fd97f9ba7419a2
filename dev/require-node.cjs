// Refuses to go on under a Node too old to run TypeScript unbuilt, and says what to do. Plain CommonJS, so that any Node can run it.
const minimum = [24, 18];
const [major, minor] = process.versions.node.split('.').map(Number);
if (major < minimum[0] || (major === minimum[0] && minor < minimum[1])) {
  console.error(
    `Baedal needs Node ${minimum.join('.')} or newer, and this is ${process.versions.node} (${process.execPath}).\n` +
      'On Linux, "npm ci" installs a fitting Node beside the packages and npm scripts use it: run "npm ci" without ' +
      '"--omit=optional", then start again through npm. Elsewhere install Node 24 from https://nodejs.org.',
  );
  process.exit(1);
}
