/// The one stylesheet. Contrast of text is 7 to 1 or more, of lines and bars 3 to 1 (WCAG 2.2), in light and in dark.
enum Style {
  static let text = """
    :root { color-scheme: light dark; --ink: #1a1a1a; --paper: #fff; --rule: #767676; --line: #d5d5d5; --band: #f2f2f2; --bar: #0b6a5d; --link: #0b4f8a; }
    @media (prefers-color-scheme: dark) {
      :root { --ink: #f0f0f0; --paper: #121212; --rule: #9a9a9a; --line: #3a3a3a; --band: #222; --bar: #5cc8b8; --link: #9ecbff; }
    }
    * { box-sizing: border-box; }
    body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.45 system-ui, sans-serif; }
    header, main, footer { max-width: 72rem; margin: 0 auto; padding: .75rem 1rem; }
    header { display: flex; flex-wrap: wrap; gap: .25rem 1rem; align-items: center; border-bottom: 1px solid var(--rule); }
    header p { margin: 0; font-size: .85rem; } header form { margin-inline-start: auto; }
    .home { font-weight: 700; text-decoration: none; color: var(--ink); }
    footer { font-size: .85rem; border-top: 1px solid var(--rule); margin-top: 2rem; } footer p { margin: 0; }
    h1 { font-size: 1.75rem; line-height: 1.2; margin: .5rem 0; overflow-wrap: anywhere; }
    h2 { font-size: 1.2rem; line-height: 1.2; margin: 2rem 0 .5rem; }
    main:focus { outline: none; }
    a { color: var(--link); } a:hover { text-decoration-thickness: 2px; }
    :focus-visible { outline: 3px solid var(--bar); outline-offset: 2px; }
    .skip { position: absolute; inset-inline-start: -100vw; padding: .5rem 1rem; } .skip:focus { position: static; display: block; }
    .path { list-style: none; display: flex; flex-wrap: wrap; gap: .25rem .5rem; margin: 0; padding: 0; }
    .path li + li::before { content: "/ "; }
    .path a, .files a { display: inline-block; padding: .15rem 0; }
    .asks { display: flex; flex-wrap: wrap; gap: .5rem; align-items: end; margin: .75rem 0; }
    .asks label { display: grid; gap: .15rem; font-size: .85rem; }
    select, input, button { font: inherit; color: var(--ink); background: var(--band); border: 1px solid var(--rule);
      border-radius: .25rem; padding: .4rem .6rem; min-height: 2.5rem; max-width: 100%; }
    button { cursor: pointer; font-weight: 600; }
    .standing, .wrong { background: var(--band); border-inline-start: 4px solid var(--bar); padding: .5rem .75rem; margin: .75rem 0; }
    .wrong { border-color: var(--ink); font-weight: 600; }
    .standing code { overflow-wrap: anywhere; font-size: .8rem; }
    .figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(10rem, 1fr)); gap: .5rem; margin: .5rem 0; }
    .figures div { display: flex; flex-direction: column; border: 1px solid var(--line); border-radius: .25rem; padding: .5rem .75rem; }
    .figures dt { order: 2; font-size: .85rem; } .figures dd { order: 1; margin: 0; font-size: 1.6rem; font-weight: 700; line-height: 1.25; font-variant-numeric: tabular-nums; }
    .figures dd.now { order: 3; font-size: .85rem; font-weight: 400; margin-top: .25rem; }
    .drawings { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(20rem, 100%), 1fr)); gap: 0 1.5rem; }
    figure { margin: .5rem 0; } figcaption { font-weight: 600; font-size: .9rem; }
    svg { max-width: 100%; height: auto; } svg text { fill: var(--ink); font: 13px system-ui, sans-serif; }
    .wide { overflow-x: auto; }
    table { border-collapse: collapse; width: 100%; font-size: .9rem; }
    caption { text-align: start; font-size: .85rem; padding: .25rem 0; }
    th, td { padding: .4rem .5rem; text-align: start; border-bottom: 1px solid var(--line); vertical-align: top; }
    td { white-space: nowrap; } thead th { background: var(--band); border-bottom-color: var(--rule); } tbody th { font-weight: 400; }
    [aria-sort=ascending] a::after { content: " ↑"; } [aria-sort=descending] a::after { content: " ↓"; }
    .n { text-align: end; font-variant-numeric: tabular-nums; white-space: nowrap; }
    .bar { display: block; width: 100%; min-width: 4rem; height: 4px; background: var(--line); } .bar rect { fill: var(--bar); }
    abbr { text-decoration: none; }
    .files { list-style: none; padding: 0; margin: .5rem 0; } ul.files { display: flex; flex-wrap: wrap; gap: .25rem 1rem; }
    .files div { padding: .4rem 0; border-bottom: 1px solid var(--line); } .files dt { font-weight: 600; }
    .files dd { margin: 0; display: flex; flex-wrap: wrap; gap: .25rem 1rem; }
    @media print {
      :root { --ink: #000; --paper: #fff; --rule: #767676; --line: #bbb; --band: #eee; --bar: #0b6a5d; --link: #000; }
      .asks, .files, header form, .skip { display: none; } body { font-size: 9pt; } main { max-width: none; }
      .wide { overflow: visible; } tr, figure, .figures div { break-inside: avoid; } h2 { break-after: avoid; }
    }
    """

  /// Of the browser's tab.
  static let icon = """
    <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect width="16" height="16" rx="3" fill="#0b6a5d"/><path d="M2 9h3l2-5 2 8 2-5h3" fill="none" stroke="#fff" stroke-width="1.5"/></svg>
    """
}
