// The part that VS Code sees: a command that opens a panel, and the end of everything when the extension ends.

import { Pool } from 'remuda';
import * as vscode from 'vscode';

import { Chat, type Said } from './chat.js';
import { page } from './page.js';

let pool: Pool | null = null;

export function activate(context: vscode.ExtensionContext): void {
  context.subscriptions.push(vscode.commands.registerCommand('remuda.chat', open));
}

export async function deactivate(): Promise<void> {
  // VS Code waits a few seconds; what is left then ends with the process.
  await pool?.shutdown({ deadlineMs: 3_000 });
}

function open(): void {
  const folder = vscode.workspace.workspaceFolders?.[0];
  if (folder === undefined) {
    void vscode.window.showErrorMessage('Open a folder first: the agent works in it.');
    return;
  }
  pool ??= new Pool({ maxWarm: 3 });
  const provider = vscode.workspace.getConfiguration('remuda').get('provider', 'claude');
  const panel = vscode.window.createWebviewPanel('remuda.chat', `Chat: ${provider}`, vscode.ViewColumn.Beside, {
    enableScripts: true,
    retainContextWhenHidden: true,
    localResourceRoots: [],
  });
  // A panel that is closed throws, and its turn may go on for a while.
  let disposed = false;
  const chat = new Chat(pool, { provider, cwd: folder.uri.fsPath }, (shown) => {
    if (!disposed) void panel.webview.postMessage(shown);
  });
  panel.webview.onDidReceiveMessage((said: Said) => void chat.hear(said));
  panel.onDidDispose(() => {
    disposed = true;
    void chat.close();
  });
  panel.webview.html = page();
}
