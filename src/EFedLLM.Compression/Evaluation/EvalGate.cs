using System.Collections.Immutable;
using System.Globalization;

namespace EFedLLM.Compression.Evaluation;

/// <summary>Limits that measured models have to keep, as people write them: <c>max-ppl=1%,max-kl=0.01,min-top1=98%,max-bits=6.4</c>.</summary>
/// <param name="Limits">The limits, in the order given.</param>
public sealed record EvalGate(ImmutableArray<EvalLimit> Limits)
{
    private const int MostCharacters = 1000;

    /// <summary>Every key with what its value means, for people.</summary>
    public static IReadOnlyList<(string Key, string Meaning)> Keys { get; } =
    [
        ("max-ppl", "perplexity: with % its rise above the reference, else itself"),
        ("max-kl", "mean KL divergence in nats"),
        ("max-p99-kl", "99th percentile of the KL divergence in nats"),
        ("min-top1", "positions whose most likely token is the reference's, as 98% or 0.98"),
        ("max-bits", "bits per weight as read per token"),
        ("max-accuracy-loss", "accuracy lost in percentage points"),
    ];

    /// <summary>Reads a list of limits.</summary>
    /// <exception cref="ArgumentException">It is none; the message says what is wrong and what there is.</exception>
    public static EvalGate Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (text.Length > MostCharacters)
        {
            throw new ArgumentException($"The gate has more than {MostCharacters} characters.", nameof(text));
        }

        var limits = ImmutableArray.CreateBuilder<EvalLimit>();
        foreach (var part in text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            var limit = Limit(part);
            if (limits.Any(other => other.Key == limit.Key))
            {
                throw new ArgumentException($"The gate names {limit.Key} twice.", nameof(text));
            }

            limits.Add(limit);
        }

        return limits.Count > 0 ? new EvalGate(limits.ToImmutable()) : throw new ArgumentException($"The gate has no limit. {Known()}", nameof(text));
    }

    /// <summary>What a model breaks, a sentence for each limit. A quantity that was not measured counts as broken.</summary>
    /// <param name="model">The model.</param>
    /// <param name="reference">What it is compared with, or null where there is nothing.</param>
    public IReadOnlyList<string> Broken(ModelEvaluation model, ModelEvaluation? reference)
    {
        ArgumentNullException.ThrowIfNull(model);
        return [.. Limits.Select(limit => Check(limit, model, reference)).OfType<string>()];
    }

    private static EvalLimit Limit(string part)
    {
        var (key, text) = part.IndexOf('=', StringComparison.Ordinal) is var at and >= 0 ? (part[..at].TrimEnd(), part[(at + 1)..].TrimStart()) : (part, "");
        if (Keys.All(known => known.Key != key))
        {
            throw new ArgumentException($"The gate has no limit \"{key}\". {Known()}", nameof(part));
        }

        var percent = text.EndsWith('%');
        if (!double.TryParse(percent ? text[..^1].TrimEnd() : text, NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent, CultureInfo.InvariantCulture, out var value)
            || !double.IsFinite(value))
        {
            throw new ArgumentException($"{key} needs a number that is not negative, for example {key}={Example(key)}; it is \"{text}\".", nameof(part));
        }

        var quantity = Quantity(key, percent);
        if (percent && quantity is (EvalQuantity.MeanKl or EvalQuantity.P99Kl or EvalQuantity.Bits))
        {
            throw new ArgumentException($"{key} is no percentage, for example {key}={Example(key)}; it is \"{text}\".", nameof(part));
        }

        value = percent || quantity == EvalQuantity.AccuracyLoss ? value / 100 : value;
        return quantity == EvalQuantity.Top1Agreement && value > 1
            ? throw new ArgumentException($"{key} is at most 100%, for example {key}={Example(key)}; it is \"{text}\".", nameof(part))
            : new EvalLimit(key, quantity, value);
    }

    private static EvalQuantity Quantity(string key, bool percent) => key switch
    {
        "max-ppl" => percent ? EvalQuantity.PerplexityRise : EvalQuantity.Perplexity,
        "max-kl" => EvalQuantity.MeanKl,
        "max-p99-kl" => EvalQuantity.P99Kl,
        "min-top1" => EvalQuantity.Top1Agreement,
        "max-bits" => EvalQuantity.Bits,
        _ => EvalQuantity.AccuracyLoss,
    };

    private static string Example(string key) => key switch
    {
        "max-ppl" => "1%",
        "min-top1" => "98%",
        "max-bits" => "6.4",
        "max-accuracy-loss" => "1",
        _ => "0.01",
    };

    private static string Known() => $"There are: {string.Join(", ", Keys.Select(known => $"{known.Key} ({known.Meaning})"))}.";

    private static string? Check(EvalLimit limit, ModelEvaluation model, ModelEvaluation? reference)
    {
        var (value, what) = limit.Quantity switch
        {
            EvalQuantity.Perplexity => (model.Scores?.Perplexity, "the perplexity is {0}"),
            EvalQuantity.PerplexityRise => (reference?.Scores is { } expected ? model.Scores?.PerplexityChange(expected) : null, "the perplexity is {0} above the reference's"),
            EvalQuantity.MeanKl => (model.Scores?.MeanKl, "the mean KL divergence is {0}"),
            EvalQuantity.P99Kl => (model.Scores?.P99Kl, "the 99th percentile of the KL divergence is {0}"),
            EvalQuantity.Top1Agreement => (model.Scores?.Top1Agreement, "the most likely token is the reference's at {0} of the positions"),
            EvalQuantity.Bits => (model.BitsPerWeight, "a weight takes {0} bits"),
            _ => (reference?.Classification?.Accuracy - model.Classification?.Accuracy, "the accuracy is {0} points below the reference's"),
        };
        if (value is not { } number)
        {
            return $"{model.Model}: what {limit.Key} limits was not measured.";
        }

        // Written so that what is no number breaks every limit.
        var kept = limit.Quantity == EvalQuantity.Top1Agreement ? number >= limit.Value : number <= limit.Value;
        return kept
            ? null
            : string.Format(CultureInfo.InvariantCulture, "{0}: {1}; {2} allows {3}.", model.Model, string.Format(CultureInfo.InvariantCulture, what, Say(limit, number)), limit.Key, Say(limit, limit.Value));
    }

    private static string Say(EvalLimit limit, double value) => limit.Quantity switch
    {
        EvalQuantity.PerplexityRise or EvalQuantity.Top1Agreement => value < 1 ? Text($"{value * 100:0.####} %") : Text($"{value * 100:0.#} %"),
        EvalQuantity.AccuracyLoss => Text($"{value * 100:0.####}"),
        _ => Text($"{value:0.######}"),
    };

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
