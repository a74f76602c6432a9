// Writes the package.json files of two projects below a folder: app, a web
// application of some 1,200 packages, and monorepo, eight workspaces of some 4,500.
import { mkdirSync, writeFileSync } from 'node:fs'

const below = process.argv[2]
const write = (folder, manifest) => {
  mkdirSync(`${below}/${folder}`, { recursive: true })
  writeFileSync(`${below}/${folder}/package.json`, JSON.stringify({ version: '1.0.0', private: true, ...manifest }, null, 2))
}
const react = { react: '18.3.1', 'react-dom': '18.3.1' }

write('app', {
  name: 'app',
  dependencies: { 'react-scripts': '5.0.1', express: '4.19.2', ...react },
  devDependencies: { webpack: '5.91.0', 'webpack-cli': '5.1.4', jest: '27.5.1', eslint: '8.57.0', typescript: '4.9.5' },
})
write('monorepo', { name: 'monorepo', workspaces: ['apps/*'] })
const members = {
  web: { dependencies: { 'react-scripts': '5.0.1', ...react } },
  admin: { dependencies: { next: '14.2.3', '@mui/material': '5.15.15', ...react }, devDependencies: { eslint: '8.57.0', 'eslint-config-next': '14.2.3' } },
  api: { dependencies: { '@nestjs/core': '10.3.8', '@nestjs/common': '10.3.8', '@nestjs/platform-express': '10.3.8', typeorm: '0.3.20', pg: '8.11.5' }, devDependencies: { '@nestjs/cli': '10.3.2', jest: '29.7.0' } },
  functions: { dependencies: { 'firebase-admin': '12.1.0', 'firebase-functions': '5.0.1', 'aws-sdk': '2.1610.0', '@aws-sdk/client-s3': '3.565.0' }, devDependencies: { 'firebase-tools': '13.8.0' } },
  ng: { dependencies: { '@angular/core': '17.3.7', '@angular/common': '17.3.7' }, devDependencies: { '@angular/cli': '17.3.7', '@angular-devkit/build-angular': '17.3.7', karma: '6.4.3' } },
  docs: { dependencies: { '@docusaurus/core': '3.3.2', '@docusaurus/preset-classic': '3.3.2', ...react } },
  mobile: { dependencies: { 'react-native': '0.74.1', expo: '51.0.2' }, devDependencies: { mocha: '10.4.0', gulp: '5.0.0' } },
  tools: { dependencies: { serverless: '3.38.0', gatsby: '5.13.4', nuxt: '3.11.2' }, devDependencies: { webpack: '4.47.0', vitest: '1.6.0', storybook: '8.0.10', puppeteer: '22.7.1' } },
}
for (const [name, manifest] of Object.entries(members)) {
  write(`monorepo/apps/${name}`, { name: `@monorepo/${name}`, ...manifest })
}
