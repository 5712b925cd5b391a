// Bundles the extension. The native half of `remuda` cannot be in a bundle, so that the package stays outside of it.

import { build } from 'esbuild';

await build({
  entryPoints: ['src/extension.ts'],
  outdir: 'dist',
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'cjs',
  external: ['vscode', 'remuda'],
  logLevel: 'warning',
});
