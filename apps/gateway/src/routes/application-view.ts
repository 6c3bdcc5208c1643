import type {
  Application,
  ApplicationRegistry,
  ApplicationUsage,
  Erasure,
  LimitName,
} from '@posthaste/access';
import { type TInteger, type TString, type TUnsafe, Type } from 'typebox';
import { idSchema, momentSchema, nullable } from './schemas/field-schemas.js';

export const applicationName: TString = Type.String({
  maxLength: 256,
  pattern: '^[^\\u0000]*$',
  description:
    'Name of the application: any text, and the empty text is one. Compared character by character: neither case nor Unicode is normalised.',
  examples: ['shop'],
});

const limit = (description: string): TUnsafe<number | null> =>
  nullable<TInteger>(Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER, description }));

export const limitFields: Record<LimitName, TUnsafe<number | null>> = {
  requestsPerSecond: limit('Requests to the API per second.'),
  deliveriesPerSecond: limit('Callbacks that are accepted per second.'),
  eventsPerSecond: limit('Published events per second.'),
  backlog: limit('Callbacks that are not finished.'),
  endpoints: limit('Endpoints.'),
  storedBytes: limit('Bytes of stored requests, attempts and events.'),
};

const Limits = Type.Object(limitFields, {
  description: 'Limits of its own. Null: those of the installation.',
});

const View = Type.Object(
  {
    application: applicationName,
    state: Type.Enum(['active', 'deleting'], {
      type: 'string',
      description: '`deleting`: everything it has is being removed, and requests are refused.',
    }),
    limits: Limits,
    retentionMs: nullable<TInteger>(Type.Integer({ description: 'In ms; null is the default.' })),
    usage: nullable(
      Type.Object(
        {
          backlog: Type.Integer({ description: 'Callbacks that are not finished.' }),
          endpoints: Type.Integer(),
          storedBytes: Type.Integer({ description: 'Bytes of callbacks, answers and events.' }),
          measuredAt: momentSchema,
        },
        {
          description:
            'As measured a few seconds ago; large tables are sampled. Null: it uses hardly anything, or nobody has a limit, so that nothing is measured.',
        },
      ),
    ),
    deletion: nullable(
      Type.Object(
        {
          erasureId: idSchema,
          stage: Type.String({ description: 'Part of the work that is being done.' }),
          scanned: Type.Integer({ description: 'Rows that were looked at.' }),
          erased: Type.Integer({ description: 'Callbacks, records and settings that are gone.' }),
        },
        { description: 'Progress of its removal, in the state `deleting`.' },
      ),
    ),
    createdAt: momentSchema,
    updatedAt: momentSchema,
  },
  { title: 'Application' },
);

/** Application as the API shows it. Moments are RFC 3339. */
export interface ApplicationView {
  readonly application: string;
  readonly state: Application['state'];
  readonly limits: Application['limits'];
  readonly retentionMs: number | null;
  readonly usage:
    | (Pick<ApplicationUsage, 'backlog' | 'endpoints' | 'storedBytes'> & {
        readonly measuredAt: string;
      })
    | null;
  readonly deletion:
    | (Pick<Erasure, 'stage' | 'scanned' | 'erased'> & { readonly erasureId: string })
    | null;
  readonly createdAt: string;
  readonly updatedAt: string;
}

export const applicationSchema: TUnsafe<ApplicationView> = Type.Unsafe<ApplicationView>(View);

/** Methods of `ApplicationRegistry` that the views need. */
export type ApplicationProgress = Pick<ApplicationRegistry, 'usageOf' | 'removalsOf'>;

/** Returns the view of one application. */
export async function toApplicationView(
  registry: ApplicationProgress,
  application: Application,
): Promise<ApplicationView> {
  const [view] = await toApplicationViews(registry, [application]);
  if (view) return view;
  throw new Error('one application has one view');
}

/** Returns the views of applications, with their usage and progress in one query each. */
export async function toApplicationViews(
  registry: ApplicationProgress,
  applications: readonly Application[],
): Promise<ApplicationView[]> {
  const usages = await registry.usageOf(applications.map(({ name: each }) => each));
  const deleting = applications.filter(({ state }) => state === 'deleting');
  const removals =
    deleting.length === 0
      ? new Map<string, Erasure>()
      : await registry.removalsOf(deleting.map(({ name: each }) => each));
  return applications.map(({ name: application, ...rest }) => {
    const usage = usages.get(application);
    const removal = removals.get(application);
    return {
      application,
      state: rest.state,
      limits: { ...rest.limits },
      retentionMs: rest.retentionMs,
      usage: usage ? { ...usage, measuredAt: usage.measuredAt.toISOString() } : null,
      deletion: removal
        ? {
            erasureId: removal.id,
            stage: removal.stage,
            scanned: removal.scanned,
            erased: removal.erased,
          }
        : null,
      createdAt: rest.createdAt.toISOString(),
      updatedAt: rest.updatedAt.toISOString(),
    };
  });
}
