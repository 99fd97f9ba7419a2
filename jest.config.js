// Test configuration: the suffix of a test file shows its cost (see README, "Tests").
/** @type {import('jest').Config} */
const shared = {
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '\\.ts$': '<rootDir>/jest-transform.cjs' },
  moduleFileExtensions: ['ts', 'js', 'cjs', 'mjs', 'json'],
  modulePathIgnorePatterns: ['<rootDir>/.data', '<rootDir>/test-output'],
};

export default {
  coverageProvider: 'v8',
  projects: [
    {
      ...shared,
      displayName: 'unit',
      testMatch: ['<rootDir>/**/*.test.ts'],
      testPathIgnorePatterns: ['/node_modules/', '\\.int\\.test\\.ts$'],
    },
    { ...shared, displayName: 'integration', testMatch: ['<rootDir>/**/*.int.test.ts'] },
    { ...shared, displayName: 'end-to-end', testMatch: ['<rootDir>/tests/**/*.e2e.ts'] },
  ],
  testTimeout: 120_000,
  maxWorkers: 2,
};
