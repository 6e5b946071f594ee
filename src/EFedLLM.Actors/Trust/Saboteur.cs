using System.Globalization;

namespace EFedLLM.Actors.Trust;

/// <summary>A device that does not do what it is asked, now and then: an <see cref="IHopBehavior"/> and how often it shows. Thread-safe.</summary>
public sealed class Saboteur
{
    private readonly object _gate = new();
    private readonly Random _random;
    private readonly double _rate;

    /// <summary>Takes any behaviour.</summary>
    /// <param name="name">What it is called.</param>
    /// <param name="behavior">The behaviour.</param>
    /// <param name="rate">How often it shows: the share of steps, openings and answers. Above 0, at most 1. Other weights are others always.</param>
    /// <param name="seed">Seeds what it does.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such rate.</exception>
    public Saboteur(string name, IHopBehavior behavior, double rate = 1, int seed = 1)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(behavior);
        if (!(rate is > 0 and <= 1))
        {
            throw new ArgumentOutOfRangeException(nameof(rate), rate, "A rate is above 0 and at most 1.");
        }

        (Name, Behavior, _rate, _random, Random) = (name, behavior, rate, new Random(seed), new Random(seed));
    }

    /// <summary>The behaviours that have a name.</summary>
    public static IReadOnlyCollection<string> Names => HopBehaviors.All.Keys;

    /// <summary>What it is called.</summary>
    public string Name { get; }

    /// <summary>What it does.</summary>
    public IHopBehavior Behavior { get; }

    /// <summary>For the compute thread: what it does at random.</summary>
    internal Random Random { get; }

    /// <summary>Reads <c>name</c> or <c>name:rate</c>; of some names <c>name=number</c>.</summary>
    /// <param name="text">For example <c>sign-flip:0.05</c>, or <c>sleeper=1000</c>.</param>
    /// <param name="seed">Seeds what it does.</param>
    /// <exception cref="FormatException">There is no such behaviour, number or rate; the message lists those there are.</exception>
    public static Saboteur Parse(string text, int seed = 1)
    {
        ArgumentNullException.ThrowIfNull(text);
        var parts = text.Split(':');
        var name = parts[0].Split('=', 2);
        if (parts.Length > 2 || !HopBehaviors.All.TryGetValue(name[0], out var form))
        {
            throw new FormatException($"There is no behaviour '{(text.Length > 64 ? text[..64] : text)}'; there are {string.Join(", ", Names)}.");
        }

        var rate = 1.0;
        if (parts.Length == 2 && !(double.TryParse(parts[1], NumberStyles.Float, CultureInfo.InvariantCulture, out rate) && rate is > 0 and <= 1))
        {
            throw new FormatException($"'{(parts[1].Length > 64 ? parts[1][..64] : parts[1])}' is no rate; it must be above 0 and at most 1.");
        }

        var number = form.Default ?? 0;
        if (name.Length == 2 && !(form.Default is not null && int.TryParse(name[1], NumberStyles.None, CultureInfo.InvariantCulture, out number) && number <= HopBehaviorForm.Most))
        {
            throw new FormatException(form.Default is { } usual
                ? $"'{(name[1].Length > 64 ? name[1][..64] : name[1])}' is no number for '{name[0]}'; it must be whole, from 0 to {HopBehaviorForm.Most}, for example {name[0]}={usual}. A rate is written behind a colon."
                : $"'{name[0]}' takes no number. A rate is written behind a colon.");
        }

        return new Saboteur(name[0], form.Make(number), rate, seed);
    }

    /// <summary>How it meets somebody who wants what it kept.</summary>
    internal ChallengeReply ToOpening()
        => !Shows() ? ChallengeReply.Honest
            : Behavior.ForgetsWhenAskedToOpen ? ChallengeReply.Forget
            : Behavior.OpeningDelay == Timeout.InfiniteTimeSpan ? ChallengeReply.Refuse
            : Behavior.OpeningDelay > TimeSpan.Zero ? ChallengeReply.Late
            : ChallengeReply.Honest;

    /// <summary>How it meets somebody who wants it to sign.</summary>
    internal ChallengeReply ToSigning() => Behavior.ForgetsWhenAskedToSign && Shows() ? ChallengeReply.Forget : ChallengeReply.Honest;

    /// <summary>Whether it shows this time.</summary>
    internal bool Shows()
    {
        lock (_gate)
        {
            return _random.NextDouble() < _rate;
        }
    }
}
