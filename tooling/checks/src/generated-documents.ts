import { renderOpenApiDocument } from '@posthaste/gateway';
import { renderConfigurationPage } from './configuration-page.js';
import { renderErrorsPage } from './errors-page.js';

/** File of the repository that is written by a program, never by hand. */
export interface GeneratedDocument {
  /** Path from the root of the repository, with forward slashes. */
  readonly path: string;
  /** Returns the complete file as it should be. */
  readonly render: () => string | Promise<string>;
}

/** The documents that `npm run docs` writes. A test compares them with the committed files. */
export const generatedDocuments: readonly GeneratedDocument[] = [
  { path: 'docs/configuration.md', render: renderConfigurationPage },
  { path: 'docs/errors.md', render: renderErrorsPage },
  { path: 'docs/openapi.json', render: renderOpenApiDocument },
];
