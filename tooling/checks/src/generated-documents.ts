import { renderOpenApiDocument } from '@posthaste/gateway';
import { renderConfigurationPage } from './configuration-page.js';
import { renderErrorsPage } from './errors-page.js';

/** A file of the repository that is written by a program, never by hand. */
export interface GeneratedDocument {
  /** From the root of the repository, with forward slashes. */
  readonly path: string;
  /** The whole file as it should be. */
  readonly render: () => string | Promise<string>;
}

/** What `npm run docs` writes, and a test compares with what is committed. */
export const generatedDocuments: readonly GeneratedDocument[] = [
  { path: 'docs/configuration.md', render: renderConfigurationPage },
  { path: 'docs/errors.md', render: renderErrorsPage },
  { path: 'docs/openapi.json', render: renderOpenApiDocument },
];
