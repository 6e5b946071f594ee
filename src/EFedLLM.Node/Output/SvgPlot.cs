using System.Globalization;
using System.Net;
using System.Text;

namespace EFedLLM.Node.Output;

/// <summary>A plot as inline SVG; colours come from the page's style sheet, by the classes <c>s0</c> to <c>s7</c>.</summary>
internal sealed class SvgPlot
{
    /// <summary>Number of colours.</summary>
    public const int Colours = 8;

    private const double Left = 66;
    private const double Top = 14;
    private const double Bottom = 50;
    private const double Narrow = 640;
    private const double Wide = 1300;
    private const double Height = 380;
    private const double LevelIndent = 8;
    private const double LevelLift = 6;

    private readonly StringBuilder _svg = new();
    private readonly PlotAxis _x;
    private readonly PlotAxis _y;
    private readonly double _width;
    private readonly double _end;

    private SvgPlot(PlotAxis x, PlotAxis y, double width, double margin) => (_x, _y, _width, _end) = (x, y, width, width - margin);

    private double InnerWidth => _end - Left;

    private static double InnerHeight => Height - Top - Bottom;

    /// <summary>Points with their names beside them.</summary>
    /// <param name="points">Finite values. Where <paramref name="y"/> is logarithmic they are positive.</param>
    /// <param name="x">The axis to the right.</param>
    /// <param name="y">The axis upwards.</param>
    /// <param name="level">A value of <paramref name="y"/> to draw a line at, with its name; or null.</param>
    public static string Scatter(IReadOnlyList<(string Name, double X, double Y, int Colour)> points, Scale x, Scale y, (string Name, double Y)? level)
    {
        var plot = new SvgPlot(x.Axis, y.Axis, Narrow, margin: 20);
        plot.Begin(x, y, $"{y.Title} against {x.Title}");
        if (level is { } line)
        {
            plot.Level(line.Name, line.Y);
        }

        var places = PlotLabels.Beside(
            [.. points.Select(point => (plot.X(point.X) - Left, plot.Y(point.Y) - Top, point.Name))],
            plot.InnerWidth,
            InnerHeight,
            level is { } drawn ? (new PlotLabels.Place(LevelIndent, plot.Y(drawn.Y) - LevelLift - Top), drawn.Name) : null);
        for (var i = 0; i < points.Count; i++)
        {
            var (name, valueX, valueY, colour) = points[i];
            plot.Write($"<circle class=\"point s{colour % Colours}\" cx=\"{plot.X(valueX):0.#}\" cy=\"{plot.Y(valueY):0.#}\" r=\"5.5\"><title>{Text(name)}: {Text(x.Say(valueX))}, {Text(y.Say(valueY))}</title></circle>");
            plot.Write($"<text class=\"name\" x=\"{places[i].X + Left:0.#}\" y=\"{places[i].Y + Top:0.#}\">{Text(name)}</text>");
        }

        return plot.End();
    }

    /// <summary>Lines over 0, 1, 2 …, each with its name at its end.</summary>
    /// <param name="lines">The values of each line; those that are not finite, or not positive on a logarithmic axis, are left out.</param>
    /// <param name="x">The axis to the right.</param>
    /// <param name="y">The axis upwards.</param>
    public static string Lines(IReadOnlyList<(string Name, IReadOnlyList<double> Values, int Colour)> lines, Scale x, Scale y)
    {
        var longest = lines.Select(line => PlotLabels.Width(line.Name)).DefaultIfEmpty(0).Max();
        var plot = new SvgPlot(x.Axis, y.Axis, Wide, margin: Math.Clamp(longest + 22, 60, 320));
        plot.Begin(x, y, $"{y.Title} by {x.Title}");
        var drawn = lines.Select(line => line.Values.Select((value, at) => (At: at, Value: value)).Where(point => double.IsFinite(point.Value) && (point.Value > 0 || !y.Axis.IsLogarithmic)).ToList()).ToList();
        var ends = PlotLabels.Spread([.. drawn.Select(points => points.Count > 0 ? plot.Y(points[^1].Value) - Top : InnerHeight)], InnerHeight);
        for (var i = 0; i < lines.Count; i++)
        {
            var colour = lines[i].Colour % Colours;
            var path = string.Join(' ', drawn[i].Select(point => Format($"{plot.X(point.At):0.#},{plot.Y(point.Value):0.#}")));
            plot.Write($"<polyline class=\"line s{colour}\" points=\"{path}\"/>");
            foreach (var (at, value) in drawn[i])
            {
                plot.Write($"<circle class=\"point s{colour}\" cx=\"{plot.X(at):0.#}\" cy=\"{plot.Y(value):0.#}\" r=\"3\"><title>{Text(lines[i].Name)}, {Text(x.Say(at))}: {Text(y.Say(value))}</title></circle>");
            }

            plot.Write($"<text class=\"name s{colour}\" x=\"{plot._end + 12:0.#}\" y=\"{ends[i] + Top + PlotLabels.LineHeight / 3:0.#}\">{Text(lines[i].Name)}</text>");
        }

        return plot.End();
    }

    /// <summary>An axis with its words.</summary>
    /// <param name="Axis">The axis.</param>
    /// <param name="Title">What it shows.</param>
    /// <param name="Say">How a value is written.</param>
    internal sealed record Scale(PlotAxis Axis, string Title, Func<double, string> Say);

    /// <summary>Text as it may stand in HTML.</summary>
    internal static string Text(string text) => WebUtility.HtmlEncode(text);

    private static string Format(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    private double X(double value) => Left + _x.Place(value) * InnerWidth;

    private double Y(double value) => Top + (1 - _y.Place(value)) * InnerHeight;

    private void Write(FormattableString text) => _svg.AppendLine(Format(text));

    private void Begin(Scale x, Scale y, string title)
    {
        Write($"<svg{(_width == Wide ? " class=\"wide\"" : "")} viewBox=\"0 0 {_width:0} {Height:0}\" role=\"img\" aria-label=\"{Text(title)}\">");
        foreach (var tick in _y.Ticks)
        {
            Write($"<line class=\"grid\" x1=\"{Left:0.#}\" x2=\"{_end:0.#}\" y1=\"{Y(tick):0.#}\" y2=\"{Y(tick):0.#}\"/>");
            Write($"<text class=\"tick\" text-anchor=\"end\" x=\"{Left - 8:0.#}\" y=\"{Y(tick) + 4:0.#}\">{Text(y.Say(tick))}</text>");
        }

        var bottom = Height - Bottom;
        foreach (var tick in _x.Ticks)
        {
            Write($"<line class=\"grid\" x1=\"{X(tick):0.#}\" x2=\"{X(tick):0.#}\" y1=\"{Top:0.#}\" y2=\"{bottom:0.#}\"/>");
            Write($"<text class=\"tick\" text-anchor=\"middle\" x=\"{X(tick):0.#}\" y=\"{bottom + 18:0.#}\">{Text(x.Say(tick))}</text>");
        }

        Write($"<path class=\"axis\" d=\"M{Left:0.#} {Top:0.#}V{bottom:0.#}H{_end:0.#}\"/>");
        Write($"<text class=\"title\" text-anchor=\"middle\" x=\"{Left + InnerWidth / 2:0.#}\" y=\"{Height - 10:0.#}\">{Text(x.Title)}</text>");
        Write($"<text class=\"title\" text-anchor=\"middle\" transform=\"rotate(-90)\" x=\"{-(Top + InnerHeight / 2):0.#}\" y=\"14\">{Text(y.Title)}</text>");
    }

    private void Level(string name, double value)
    {
        Write($"<line class=\"level\" x1=\"{Left:0.#}\" x2=\"{_end:0.#}\" y1=\"{Y(value):0.#}\" y2=\"{Y(value):0.#}\"/>");
        Write($"<text class=\"tick\" x=\"{Left + LevelIndent:0.#}\" y=\"{Y(value) - LevelLift:0.#}\">{Text(name)}</text>");
    }

    private string End()
    {
        _svg.Append("</svg>");
        return _svg.ToString();
    }
}
