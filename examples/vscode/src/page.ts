// The panel's page. It has no rights but to run its own script and to be styled.

import { randomBytes } from 'node:crypto';

export function page(): string {
  const nonce = randomBytes(16).toString('base64');
  return `<!doctype html>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'nonce-${nonce}'; script-src 'nonce-${nonce}'">
<style nonce="${nonce}">
  body { display: flex; flex-direction: column; height: 100vh; margin: 0; padding: 8px; box-sizing: border-box; }
  #said { flex: 1; overflow: auto; white-space: pre-wrap; }
  .tool, .end { opacity: 0.7; }
  form { display: flex; gap: 4px; }
  input { flex: 1; }
</style>
<div id="said" role="log"></div>
<form><input aria-label="Message" autofocus><button>Send</button><button type="button" id="stop">Stop</button></form>
<script nonce="${nonce}">
  const host = acquireVsCodeApi();
  const said = document.getElementById('said');
  const form = document.querySelector('form');
  const input = document.querySelector('input');
  function add(text, kind) {
    const line = document.createElement('div');
    line.className = kind;
    line.textContent = text;
    said.append(line);
    line.scrollIntoView();
    return line;
  }
  let answer = null;
  const shows = {
    text({ text }) {
      answer ??= add('', 'text');
      answer.textContent += text;
      answer.scrollIntoView();
    },
    tool({ title }) {
      answer = null;
      add(title, 'tool');
    },
    question({ request, title }) {
      const line = add(title + ' ', 'question');
      line.id = 'question-' + request;
      for (const [name, allow] of [['Allow', true], ['Deny', false]]) {
        const button = document.createElement('button');
        button.textContent = name;
        button.onclick = () => host.postMessage({ say: 'answer', request, allow });
        line.append(button);
      }
    },
    answered({ request }) {
      for (const button of document.querySelectorAll('#question-' + request + ' button')) button.remove();
    },
    end({ problem }) {
      answer = null;
      if (problem) add(problem, 'end');
    },
  };
  window.addEventListener('message', ({ data }) => shows[data.show](data));
  document.getElementById('stop').onclick = () => host.postMessage({ say: 'stop' });
  form.onsubmit = (event) => {
    event.preventDefault();
    if (input.value.trim() === '') return;
    add('> ' + input.value, 'own');
    host.postMessage({ say: 'send', text: input.value });
    input.value = '';
  };
</script>`;
}
