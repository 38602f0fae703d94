/// The one stylesheet. Contrast of text is 7 to 1 or more, of lines and bars 3 to 1 (WCAG 2.2), in light and in dark.
enum Style {
  static let text = """
    :root { color-scheme: light dark; --ink: #1a1a1a; --paper: #fff; --rule: #767676; --band: #f2f2f2; --bar: #0b6a5d; --link: #0b4f8a; }
    @media (prefers-color-scheme: dark) {
      :root { --ink: #f0f0f0; --paper: #121212; --rule: #9a9a9a; --band: #222; --bar: #5cc8b8; --link: #9ecbff; }
    }
    * { box-sizing: border-box; }
    body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.45 system-ui, sans-serif; }
    header, main, footer { max-width: 72rem; margin: 0 auto; padding: .75rem 1rem; }
    header { display: flex; flex-wrap: wrap; gap: .5rem 1rem; align-items: center; border-bottom: 1px solid var(--rule); }
    header form { margin-inline-start: auto; }
    footer { font-size: .85rem; border-top: 1px solid var(--rule); margin-top: 2rem; }
    h1 { font-size: 1.6rem; line-height: 1.2; margin: .5rem 0; }
    h2 { font-size: 1.15rem; margin: 1.5rem 0 .5rem; }
    a { color: var(--link); } a:hover { text-decoration-thickness: 2px; }
    a, button, select, input { min-height: 1.5rem; }
    :focus-visible { outline: 3px solid var(--bar); outline-offset: 2px; }
    .skip { position: absolute; inset-inline-start: -100vw; } .skip:focus { position: static; }
    .path { list-style: none; display: flex; flex-wrap: wrap; gap: .25rem .5rem; margin: 0; padding: 0; }
    .path li + li::before { content: "/ "; }
    .asks { display: flex; flex-wrap: wrap; gap: .5rem; align-items: end; margin: .5rem 0; }
    .asks label { display: grid; font-size: .85rem; }
    select, input, button { font: inherit; color: var(--ink); background: var(--band); border: 1px solid var(--rule);
      border-radius: .25rem; padding: .35rem .6rem; max-width: 100%; }
    button { cursor: pointer; font-weight: 600; }
    .standing { background: var(--band); border-inline-start: 4px solid var(--bar); padding: .5rem .75rem; margin: .5rem 0; }
    .standing code { overflow-wrap: anywhere; font-size: .8rem; }
    .wrong { border-inline-start: 4px solid var(--rule); background: var(--band); padding: .5rem .75rem; }
    .figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); gap: .5rem; padding: 0; margin: .5rem 0; list-style: none; }
    .figures li { border: 1px solid var(--rule); border-radius: .25rem; padding: .5rem .75rem; }
    .figures strong { display: block; font-size: 1.5rem; font-variant-numeric: tabular-nums; }
    .wide { overflow-x: auto; }
    table { border-collapse: collapse; width: 100%; font-size: .9rem; }
    caption { text-align: start; font-size: .85rem; padding: .25rem 0; }
    th, td { padding: .35rem .5rem; text-align: start; border-bottom: 1px solid var(--rule); vertical-align: top; }
    thead th { background: var(--band); } tbody th { font-weight: 400; }
    .n { text-align: end; font-variant-numeric: tabular-nums; white-space: nowrap; }
    figure { margin: 1rem 0; } figcaption { font-weight: 600; }
    svg { max-width: 100%; height: auto; } svg text { fill: var(--ink); font: 13px system-ui, sans-serif; }
    .files { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: .5rem 1rem; }
    @media print {
      :root { --ink: #000; --paper: #fff; --rule: #767676; --band: #eee; --bar: #0b6a5d; --link: #000; }
      .asks, .files, header form, .skip { display: none; } body { font-size: 9pt; }
      .wide { overflow: visible; } tr, figure { break-inside: avoid; } h2 { break-after: avoid; }
    }
    """
}
