namespace EFedLLM.Actors.Trust;

/// <summary>
/// How a dishonest device departs from what it is asked: for demonstrations and for tests, so that everybody can see what becomes of one.
/// Each member does what is honest unless it is written anew. All run on the device's compute thread, but <see cref="OpeningDelay"/> and, where
/// it is about an opening, <see cref="Kept"/>.
/// </summary>
public interface IHopBehavior
{
    /// <summary>Whether it computes with other weights than the model's: <see cref="Warp"/> is then asked for every layer.</summary>
    bool WarpsWeights => false;

    /// <summary>How long after it is asked it gives what it kept; <see cref="Timeout.InfiniteTimeSpan"/> is not at all, which it says at once.</summary>
    TimeSpan OpeningDelay => TimeSpan.Zero;

    /// <summary>A layer is loaded: changes the gains of its norms.</summary>
    /// <param name="attention">Of the norm before attention, [hidden].</param>
    /// <param name="feedForward">Of the norm before the feed-forward block, [hidden].</param>
    void Warp(Span<float> attention, Span<float> feedForward)
    {
    }

    /// <summary>A step is computed, and neither drawn from nor signed nor sent.</summary>
    void Computed(HopOutput output)
    {
    }

    /// <summary>A step is signed and not sent.</summary>
    void Signed(HopOutput output)
    {
    }

    /// <summary>What a step left in the cache is signed or opened: what is signed and opened instead. The cache itself stays as it is.</summary>
    /// <param name="position">The position.</param>
    /// <param name="offset">Which of its values is the first: 0, but where it does not fit one message.</param>
    /// <param name="values">Its keys and values, or a part of them: of [layers, 2 (key, value), key/value heads, head size].</param>
    void Kept(int position, int offset, Span<float> values)
    {
    }

    /// <summary>Another device's work was recomputed: what is answered about it.</summary>
    /// <param name="answer">The right answer.</param>
    /// <param name="random">Seeded by whoever starts the device.</param>
    Digest Answer(Digest answer, Random random) => answer;
}
