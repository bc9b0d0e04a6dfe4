/** The page that shows the last traces as waterfalls and the last decisions, for someone without a trace backend. */

/** The document. Script and style come from their own paths, so that the policy of the page can forbid inline ones. */
export const pageHtml = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>sallyport</title>
<link rel="stylesheet" href="/ui.css">
</head>
<body>
<header><h1>sallyport</h1><p id="service"></p></header>
<main>
<section aria-labelledby="traces-title"><h2 id="traces-title">Last traces</h2><div id="traces" role="list"></div></section>
<section aria-labelledby="decisions-title"><h2 id="decisions-title">Last decisions</h2>
<table><thead><tr><th scope="col">time</th><th scope="col">line</th><th scope="col">decision</th><th scope="col">call</th><th scope="col">code</th><th scope="col">rule</th><th scope="col">ms</th></tr></thead><tbody id="decisions"></tbody></table>
</section>
</main>
<script src="/ui.js"></script>
</body>
</html>
`

/** The style: light and dark, by the preference of the reader. */
export const pageCss = `:root{color-scheme:light dark;--line:#8884;--bar:#3b82f6;--bad:#dc2626;--text:canvastext}
body{font:15px/1.5 system-ui,sans-serif;margin:0 auto;max-width:1100px;padding:1rem;color:var(--text)}
header{display:flex;gap:1rem;align-items:baseline;border-bottom:1px solid var(--line)}
h1{font-size:1.3rem}h2{font-size:1.05rem;margin-top:1.5rem}
details{border:1px solid var(--line);border-radius:6px;margin:.4rem 0;padding:.3rem .6rem}
summary{cursor:pointer}
.span{display:grid;grid-template-columns:22rem 1fr 5rem;gap:.6rem;align-items:center;font-size:.85rem}
.track{position:relative;height:.8rem;background:var(--line);border-radius:3px}
.bar{position:absolute;top:0;bottom:0;min-width:2px;background:var(--bar);border-radius:3px}
.bad .bar{background:var(--bad)}.bad .name,summary.bad{color:var(--bad)}
.name{overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
table{border-collapse:collapse;width:100%;font-size:.85rem}td,th{text-align:left;padding:.2rem .5rem;border-bottom:1px solid var(--line)}
td.deny{color:var(--bad)}
`

/** The script: reads the two views every two seconds and draws them; builds nodes, never markup from data. */
export const pageScript = `'use strict'
const make = (tag, className, text) => {
  const node = document.createElement(tag)
  if (className) node.className = className
  if (text !== undefined) node.textContent = text
  return node
}
const depthOf = (span, byId) => {
  let depth = 0
  for (let at = byId.get(span.parentSpanId); at && depth < 20; at = byId.get(at.parentSpanId)) depth += 1
  return depth
}
const drawTrace = (trace, open) => {
  const box = make('details')
  box.setAttribute('role', 'listitem')
  box.dataset.id = trace.traceId
  box.open = open.has(trace.traceId)
  const denied = trace.spans.find((span) => span.attributes['sallyport.decision'] === 'deny')
  const title = trace.spans.length > 0 ? trace.spans[0].name : 'trace'
  box.append(make('summary', trace.failed || denied ? 'bad' : '', new Date(trace.startTime).toLocaleTimeString() + '  ' + title + '  ' + trace.durationMs.toFixed(1) + ' ms  ' + (denied ? denied.attributes['sallyport.code'] + '  ' : '') + trace.traceId))
  const byId = new Map(trace.spans.map((span) => [span.spanId, span]))
  for (const span of trace.spans) {
    const row = make('div', 'span' + (span.status === 'error' ? ' bad' : ''))
    const peer = span.attributes['peer.service']
    const name = make('span', 'name', span.service + ': ' + span.name + (peer ? ' → ' + peer : ''))
    name.style.paddingLeft = depthOf(span, byId) + 'rem'
    name.title = Object.entries(span.attributes).map(([key, value]) => key + ' = ' + value).join('\\n')
    const track = make('div', 'track')
    const bar = make('div', 'bar')
    const total = Math.max(trace.durationMs, 0.001)
    bar.style.left = ((span.startTime - trace.startTime) / total) * 100 + '%'
    bar.style.width = (span.durationMs / total) * 100 + '%'
    track.append(bar)
    row.append(name, track, make('span', '', span.durationMs.toFixed(2) + ' ms'))
    box.append(row)
  }
  return box
}
const drawDecision = (decision) => {
  const row = make('tr')
  const rule = decision.rule ? decision.rule.file + ':' + decision.rule.row : ''
  const cells = [new Date(decision.time).toLocaleTimeString(), decision.line, decision.decision, [decision.method, decision.api || decision.route || decision.host, decision.template].filter(Boolean).join(' '), decision.code || '', rule, decision.durationMs.toFixed(1)]
  cells.forEach((text, index) => row.append(make('td', index === 2 ? decision.decision : '', text)))
  return row
}
const refresh = async () => {
  const [traces, decisions, info] = await Promise.all(['/traces', '/decisions', '/info'].map(async (path) => (await fetch(path)).json()))
  document.getElementById('service').textContent = info.service + '  ' + info.identity
  const boxes = [...document.querySelectorAll('details')]
  const open = new Set(boxes.filter((box) => box.open).map((box) => box.dataset.id))
  if (boxes.length === 0 && traces.length > 0) open.add(traces[0].traceId)
  document.getElementById('traces').replaceChildren(...traces.map((trace) => drawTrace(trace, open)))
  document.getElementById('decisions').replaceChildren(...decisions.slice(0, 50).map(drawDecision))
}
refresh()
setInterval(refresh, 2000)
`
