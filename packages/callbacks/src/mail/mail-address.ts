/*
 * Addresses of mails: which text is one address, and which two texts are the same recipient.
 *
 * - `A@X.example` and `A@x.example` are the same recipient: domains have no case (RFC 5321, 2.4).
 *   `A@x.example` and `a@x.example` are two, because only the server of the domain knows.
 * - For limits on mails to strangers they are one mailbox, and so is `a+tag@x.example`: nearly all
 *   servers deliver them to the same person, who must not get a mail for each spelling.
 */

/**
 * Exactly one address: without a name, a list, comments, quotes or a route. `%` and `!` are left
 * out because mail servers read them as routes: `victim%other.example@example.com` would go to
 * another domain than the one that was checked. The domain is in ASCII: libraries map other
 * characters, such as full-width letters, to a domain that was not checked either.
 */
const addressPattern =
  /^[^\s@<>,;:"()[\]\\%!]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/;
/** Control characters, invisible ones, halves of surrogate pairs, and unassigned ones. */
const invisible = /[\p{Cc}\p{Cf}\p{Cs}\p{Cn}\p{Co}\p{Zl}\p{Zp}]/u;

/** True if a mail can go to this recipient: exactly one address, without a name. */
export function isMailAddress(text: string): boolean {
  return addressPattern.test(text) && !invisible.test(text);
}

/**
 * Returns the address as recipients are stored: the domain in lower case, the rest as it is.
 * `undefined` if the text is not exactly one address that a mail can go to.
 */
export function toRecipientAddress(text: string): string | undefined {
  if (!isMailAddress(text)) return undefined;
  const at = text.lastIndexOf('@');
  return text.slice(0, at) + text.slice(at).toLowerCase();
}

/**
 * Returns the mailbox of an address, for limits only: in lower case, in one Unicode form, and
 * without what follows a `+`.
 */
export function toMailbox(address: string): string {
  const at = address.lastIndexOf('@');
  const local = address.slice(0, at).normalize('NFKC').toLowerCase();
  const plus = local.indexOf('+');
  return (plus > 0 ? local.slice(0, plus) : local) + address.slice(at).toLowerCase();
}

/** List of addresses that need no confirmation: `ops@example.com`, or `*@example.com` for a domain. */
export class AllowedRecipients {
  readonly #addresses: ReadonlySet<string>;

  /** @param entries addresses and domains; subdomains are not included */
  constructor(entries: readonly string[] = []) {
    this.#addresses = new Set(entries.map((entry) => toRecipientAddress(entry) ?? entry));
  }

  /** True if the address, in the form of {@link toRecipientAddress}, is on the list. */
  has(address: string): boolean {
    if (this.#addresses.size === 0) return false;
    return (
      this.#addresses.has(address) ||
      this.#addresses.has(`*${address.slice(address.lastIndexOf('@'))}`)
    );
  }
}
