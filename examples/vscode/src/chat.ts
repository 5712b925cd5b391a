// What happens between a panel and an agent. Knows nothing of VS Code, so that it is tested without it.

import type { Event, Pool, Session } from 'remuda';

/** What the panel is told. */
export type Shown =
  | { show: 'text'; text: string }
  | { show: 'tool'; title: string }
  | { show: 'question'; request: number; title: string }
  | { show: 'answered'; request: number }
  | { show: 'end'; problem: string | null };

/** What the panel says. */
export type Said =
  | { say: 'send'; text: string }
  | { say: 'answer'; request: number; allow: boolean }
  | { say: 'stop' };

/** Where the agent works, and which it is. */
export interface Place {
  provider: string;
  cwd: string;
  /** The agent's program, if it is not the one of that name. */
  program?: string;
  environment?: { set: { [name: string]: string } };
}

/** One conversation of a panel. */
export class Chat {
  readonly #pool: Pool;
  readonly #place: Place;
  readonly #show: (shown: Shown) => void;
  /** Questions that the user has not answered, and what waits for the answer. */
  readonly #questions = new Map<number, (allow: boolean) => void>();
  #session: Promise<Session> | null = null;

  constructor(pool: Pool, place: Place, show: (shown: Shown) => void) {
    this.#pool = pool;
    this.#place = place;
    this.#show = show;
  }

  /** Does what the panel says. Never fails: what goes wrong is shown. */
  async hear(said: Said): Promise<void> {
    try {
      if (said.say === 'send') await this.#send(said.text);
      else if (said.say === 'answer') this.#questions.get(said.request)?.(said.allow);
      else await this.#stop();
    } catch (error) {
      this.#show({ show: 'end', problem: error instanceof Error ? error.message : String(error) });
    }
  }

  /** Ends the conversation. */
  async close(): Promise<void> {
    const session = await this.#session?.catch(() => null);
    await session?.close();
  }

  async #send(text: string): Promise<void> {
    const session = await this.#opened();
    for await (const event of session.send(text, { onBusy: 'queue' })) this.#tell(event);
  }

  /** Ends the turn that runs, and with it what waits. */
  async #stop(): Promise<void> {
    const session = await this.#session?.catch(() => null);
    const running = session?.snapshot().running;
    if (running != null) await session?.interrupt(running, { dropQueue: true });
  }

  #opened(): Promise<Session> {
    this.#session ??= this.#open().catch((error: unknown) => {
      // The next message tries again.
      this.#session = null;
      throw error;
    });
    return this.#session;
  }

  #open(): Promise<Session> {
    const { provider, ...place } = this.#place;
    return this.#pool.open(provider, {
      ...place,
      onRequest: async ({ request, title }, { signal }) => {
        const allow = await this.#ask(request, title, signal);
        return allow ? { answer: 'allow' } : { answer: 'deny', message: 'The user said no.' };
      },
    });
  }

  /** Asks the user, as long as anybody wants the answer. */
  #ask(request: number, title: string, signal: AbortSignal): Promise<boolean> {
    return new Promise((resolve) => {
      const settle = (allow: boolean) => {
        if (!this.#questions.delete(request)) return;
        this.#show({ show: 'answered', request });
        resolve(allow);
      };
      this.#questions.set(request, settle);
      signal.addEventListener('abort', () => settle(false), { once: true });
      this.#show({ show: 'question', request, title });
    });
  }

  #tell(event: Event): void {
    switch (event.type) {
      case 'text_delta':
        return this.#show({ show: 'text', text: event.text });
      case 'tool_use':
        return this.#show({ show: 'tool', title: event.title });
      case 'turn_completed':
        return this.#show({ show: 'end', problem: null });
      case 'turn_interrupted':
        return this.#show({ show: 'end', problem: 'stopped' });
      case 'turn_failed':
        return this.#show({ show: 'end', problem: event.failure.message });
    }
  }
}
