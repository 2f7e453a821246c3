import js from '@eslint/js';
import tseslint from 'typescript-eslint';

const node = { console: 'readonly', process: 'readonly', URL: 'readonly', Buffer: 'readonly', setTimeout: 'readonly', clearTimeout: 'readonly' };
const page = { window: 'readonly', document: 'readonly', location: 'readonly', history: 'readonly', URL: 'readonly', URLSearchParams: 'readonly', localStorage: 'readonly', Image: 'readonly', fetch: 'readonly', setTimeout: 'readonly', innerHeight: 'readonly', rrwebPlayer: 'readonly' };

export default tseslint.config(
  { ignores: ['dist/', 'node_modules/'] },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      eqeqeq: 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      // Old engines and half-patched pages lack what lib.dom promises; a check that "cannot fail" is what keeps a page alive.
      '@typescript-eslint/no-unnecessary-condition': 'off',
      // Prototype.js has another one.
      'no-restricted-properties': ['error', { property: 'reduce' }],
    },
  },
  { files: ['*.mjs'], languageOptions: { globals: node } },
  { files: ['demo/**/*.js'], languageOptions: { globals: page, sourceType: 'script' } },
);
