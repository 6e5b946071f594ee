namespace EFedLLM.Node.Output;

/// <summary>The style sheet of <see cref="EvalPage"/>, light and dark.</summary>
internal static class EvalPageStyle
{
    /// <summary>The rules.</summary>
    public const string Css = """
        :root {
          color-scheme: light dark;
          --paper: #fbfbf9; --card: #ffffff; --ink: #1d2430; --dim: #667085; --rule: #e4e6ea; --strong: #c5c9d1; --mark: #f2f5fb; --good: #0b7a4b; --bad: #b42318;
          --s0: #2f5fd0; --s1: #c2570c; --s2: #0f8a64; --s3: #c02645; --s4: #7a45c9; --s5: #0b83a5; --s6: #a3257a; --s7: #5d7a12;
        }
        @media (prefers-color-scheme: dark) {
          :root {
            --paper: #12151b; --card: #191d25; --ink: #e7eaf0; --dim: #98a1b0; --rule: #2a303b; --strong: #48505e; --mark: #202632; --good: #4cc38a; --bad: #ff8a7a;
            --s0: #7ea6ff; --s1: #f5a45d; --s2: #52cfa2; --s3: #ff8197; --s4: #bd9bff; --s5: #5bc8e6; --s6: #f08ac8; --s7: #b3d24f;
          }
        }
        * { box-sizing: border-box; }
        body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
        main { max-width: 1360px; margin: 0 auto; padding: 40px 24px 56px; }
        h1 { margin: 0 0 4px; font-size: 26px; font-weight: 650; letter-spacing: -0.015em; }
        h2 { margin: 0; font-size: 16px; font-weight: 620; }
        p { margin: 0; color: var(--dim); }
        code { font: 13px ui-monospace, "SF Mono", Menlo, "DejaVu Sans Mono", monospace; }
        header { margin-bottom: 24px; }
        .card { background: var(--card); border: 1px solid var(--rule); border-radius: 12px; }
        .scroll { overflow-x: auto; }
        table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
        th, td { padding: 10px 16px; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--rule); }
        th { color: var(--dim); font-size: 12.5px; font-weight: 550; }
        th:first-child, td:first-child { text-align: left; }
        td:first-child { font-weight: 600; }
        tbody tr:last-child td { border-bottom: 0; }
        tbody tr:hover td { background: var(--mark); }
        tr.reference td { background: var(--mark); }
        tr.reference td:first-child::before { background: var(--strong); }
        td:first-child::before { content: ""; display: inline-block; width: 10px; height: 10px; margin-right: 10px; border-radius: 50%; background: currentColor; vertical-align: 0; }
        td.s0::before { background: var(--s0); } td.s1::before { background: var(--s1); } td.s2::before { background: var(--s2); } td.s3::before { background: var(--s3); }
        td.s4::before { background: var(--s4); } td.s5::before { background: var(--s5); } td.s6::before { background: var(--s6); } td.s7::before { background: var(--s7); }
        .gate { margin-top: 16px; padding: 14px 20px; border-left: 4px solid var(--good); }
        .gate.broken { border-left-color: var(--bad); }
        .gate ul { margin: 4px 0 0; padding-left: 20px; }
        .figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 520px), 1fr)); gap: 16px; margin-top: 16px; }
        figure { margin: 0; padding: 18px 20px 12px; overflow-x: auto; }
        figure:has(.wide) { grid-column: 1 / -1; }
        .wide { min-width: 900px; }
        figcaption p { margin: 2px 0 10px; font-size: 13.5px; }
        svg { display: block; width: 100%; height: auto; font: 12px system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
        .grid { stroke: var(--rule); } .axis { stroke: var(--strong); fill: none; }
        .level { stroke: var(--dim); stroke-dasharray: 5 4; }
        .tick { fill: var(--dim); } .title { fill: var(--dim); font-size: 12.5px; }
        .name { fill: var(--ink); stroke: var(--card); stroke-width: 3px; stroke-linejoin: round; paint-order: stroke; } .line { fill: none; stroke-width: 2; stroke-linejoin: round; }
        .point { stroke: var(--card); stroke-width: 1.5; }
        circle.s0 { fill: var(--s0); } circle.s1 { fill: var(--s1); } circle.s2 { fill: var(--s2); } circle.s3 { fill: var(--s3); }
        circle.s4 { fill: var(--s4); } circle.s5 { fill: var(--s5); } circle.s6 { fill: var(--s6); } circle.s7 { fill: var(--s7); }
        .line.s0 { stroke: var(--s0); } .line.s1 { stroke: var(--s1); } .line.s2 { stroke: var(--s2); } .line.s3 { stroke: var(--s3); }
        .line.s4 { stroke: var(--s4); } .line.s5 { stroke: var(--s5); } .line.s6 { stroke: var(--s6); } .line.s7 { stroke: var(--s7); }
        footer { margin-top: 28px; max-width: 92ch; font-size: 13.5px; }
        footer p + p { margin-top: 8px; }
        @media print { .card { break-inside: avoid; } }
        """;
}
