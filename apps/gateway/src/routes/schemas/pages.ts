import type { Page } from '@posthaste/callbacks';
import {
  type Static,
  type TInteger,
  type TObject,
  type TOptional,
  type TProperties,
  type TSchema,
  type TString,
  type TUnsafe,
  Type,
} from 'typebox';
import { noUnknownKeys } from './field-schemas.js';

/** Pages of lists: `limit` and `cursor` in the query, `items` and `next` in the answer. */

/** Query fields of every list. */
export type PageFields = {
  limit: TOptional<TInteger>;
  cursor: TOptional<TString>;
};

/** Returns the query schema of a list, with the fields of its filters. */
export function listQuery<Filters extends TProperties>(
  maxLimit: number,
  filters: Filters,
): TObject<Filters & PageFields> {
  return Type.Object({ ...filters, ...pageQuery(maxLimit) }, noUnknownKeys);
}

/** Returns the query fields of a list, besides its filters. */
export function pageQuery(maxLimit: number): PageFields {
  return {
    limit: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: maxLimit,
        default: 50,
        description: 'Most items on the page.',
      }),
    ),
    cursor: Type.Optional(
      Type.String({ description: '`next` of the page before. Default: the first page.' }),
    ),
  };
}

export interface PageView<Item> {
  items: Item[];
  next: string | null;
}

export function pageSchema<S extends TSchema>(item: S): TUnsafe<PageView<Static<S>>> {
  return Type.Unsafe(
    Type.Object({
      items: Type.Array(item, {
        description: 'May be fewer than `limit`, even none, while `next` is not null.',
      }),
      next: Type.Unsafe({
        type: ['string', 'null'],
        description: 'Pass it as `cursor` to get the next page. Null on the last page.',
      }),
    }),
  );
}

export function toPageView<Item, View>(
  { items, next }: Page<Item>,
  toView: (item: Item) => View,
): PageView<View> {
  return { items: items.map(toView), next: next ?? null };
}
