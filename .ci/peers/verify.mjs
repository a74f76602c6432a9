// Verifies npm's set of two attestations so many times in one process, with
// npm's own verifier, and nothing but its check of signatures, log and time:
//
//   node verify.mjs COUNT TRUSTED_ROOT NPM_KEYS PUBLISH PROVENANCE
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

// The packages are those of the folder in which the script is started.
const load = createRequire(path.join(process.cwd(), 'package.json'));
const { bundleFromJSON } = load('@sigstore/bundle');
const { TrustedRoot, PublicKey } = load('@sigstore/protobuf-specs');
const { toSignedEntity, toTrustMaterial, Verifier } = load('@sigstore/verify');

const [count, rootFile, keysFile, ...bundleFiles] = process.argv.slice(2);
const read = (file) => JSON.parse(readFileSync(file, 'utf8'));
const keys = Object.fromEntries(
  read(keysFile)
    .keys.filter((key) => key.keyUsage === 'npm:attestations')
    .map((key) => [key.keyId, PublicKey.fromJSON(key.publicKey)]),
);
const verifier = new Verifier(toTrustMaterial(TrustedRoot.fromJSON(read(rootFile)), keys));
const texts = bundleFiles.map((file) => readFileSync(file, 'utf8'));
for (let i = 0; i < Number(count); i++) {
  for (const text of texts) {
    verifier.verify(toSignedEntity(bundleFromJSON(JSON.parse(text))));
  }
}
