namespace EFedLLM.Actors.Trust;

/// <summary>
/// How a dishonest device departs from what it is asked: for demonstrations and for tests, so that everybody can see what becomes of one.
/// Each member does what is honest unless it is written anew. Most run on the device's compute thread; <see cref="OpeningDelay"/>,
/// <see cref="ForgetsWhenAskedToOpen"/>, <see cref="ForgetsWhenAskedToSign"/>, <see cref="Sent"/>, <see cref="Opened"/>, <see cref="Heard"/> and, where it is about an
/// opening, <see cref="Kept"/> do not.
/// </summary>
public interface IHopBehavior
{
    /// <summary>Whether it computes with other weights than the model's: <see cref="Warp"/> is then asked for every layer.</summary>
    bool WarpsWeights => false;

    /// <summary>Whether it computes with other matrices than the model's: <see cref="WarpMatrix"/> is then asked for every one of a layer.</summary>
    bool WarpsMatrices => false;

    /// <summary>How long after it is asked it gives what it kept; <see cref="Timeout.InfiniteTimeSpan"/> is not at all, which it says at once.</summary>
    TimeSpan OpeningDelay => TimeSpan.Zero;

    /// <summary>Whether a session is lost, as a program that crashed has lost it, when it is asked for what it kept.</summary>
    bool ForgetsWhenAskedToOpen => false;

    /// <summary>Whether a session is lost, as a program that was started anew has lost it, when it is asked to sign what it computed.</summary>
    bool ForgetsWhenAskedToSign => false;

    /// <summary>Whether it says nothing about another device's work that it recomputed.</summary>
    bool WithholdsAnswers => false;

    /// <summary>A layer is loaded: changes the gains of its norms.</summary>
    /// <param name="attention">Of the norm before attention, [hidden].</param>
    /// <param name="feedForward">Of the norm before the feed-forward block, [hidden].</param>
    void Warp(Span<float> attention, Span<float> feedForward)
    {
    }

    /// <summary>A matrix is loaded: changes its weights. It is then computed with in plain float32.</summary>
    /// <param name="weights">[outputs, inputs], row-major.</param>
    /// <param name="outputs">Number of outputs.</param>
    /// <param name="inputs">Number of inputs.</param>
    void WarpMatrix(Span<float> weights, int outputs, int inputs)
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
    void Kept(int position, int offset, Span<Half> values)
    {
    }

    /// <summary>Rows go to the next hop: what is sent instead.</summary>
    /// <param name="rows">[count, hidden], signed and kept; not to be written to.</param>
    /// <param name="count">Number of rows, which is said beside them.</param>
    ReadOnlyMemory<float> Sent(ReadOnlyMemory<float> rows, int count) => rows;

    /// <summary>Rows that it gave or got are asked for: what is given, and signed, instead; as many values.</summary>
    /// <param name="rows">[count, hidden], as they were; not to be written to.</param>
    /// <param name="count">Number of rows.</param>
    ReadOnlyMemory<float> Opened(ReadOnlyMemory<float> rows, int count) => rows;

    /// <summary>The ledger says how far it trusts the device.</summary>
    /// <param name="score">The statistic S: 0 when nothing speaks against it.</param>
    void Heard(double score)
    {
    }

    /// <summary>Another device's work was recomputed: what is answered about it.</summary>
    /// <param name="answer">The right answer.</param>
    /// <param name="random">Seeded by whoever starts the device.</param>
    Digest Answer(Digest answer, Random random) => answer;
}
