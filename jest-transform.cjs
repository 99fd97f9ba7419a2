// Jest transformer: strips TypeScript types exactly as Node does at run time, so tests and processes run the same code.
const { stripTypeScriptTypes } = require('node:module');
const { createHash } = require('node:crypto');

module.exports = {
  process: (source) => ({ code: stripTypeScriptTypes(source, { mode: 'strip' }) }),
  getCacheKey: (source, path) => createHash('sha1').update(`${process.version}\0${path}\0${source}`).digest('hex'),
};
