/**
 * The way in which a route finds the applications that a request is about:
 *
 * - `none`: it shows and changes nothing of an application.
 * - `caller`: it is about the caller itself.
 * - `all`: it is for callers for all applications only.
 * - `filter`: a list. `application` of the query narrows it; without, it has everything that the
 *   caller may see.
 * - `named`: `application` of the query or the body names one. Without, it is the caller's own; for
 *   a caller for all, POSTHASTE_DEFAULT_APPLICATION.
 * - `items`: each item of the request names its own, as with `named`.
 * - `owner`: the request names something by its id, which must belong to an application of the
 *   caller; anything else does not exist for it.
 */
export type ApplicationSource = 'none' | 'caller' | 'all' | 'filter' | 'named' | 'items' | 'owner';

/** Thing that a route adds to an application: one for each request, or one for each item. */
export type CountedThing = 'deliveries' | 'events' | 'endpoints';
