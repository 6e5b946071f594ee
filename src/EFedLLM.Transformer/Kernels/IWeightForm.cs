namespace EFedLLM.Transformer.Kernels;

/// <summary>
/// How the weights of one number of bits become pairs of int16, in one register width. A step is 8 inputs of a column: 4
/// pairs of each of its rows. A run is some steps; the bits that they share, if any, lie before them.
/// </summary>
/// <typeparam name="TPairs">A register with a pair of int16 in each lane.</typeparam>
internal unsafe interface IWeightForm<TPairs>
    where TPairs : struct
{
    /// <summary>From one row of a block to the next: bytes.</summary>
    static abstract int RowBytes { get; }

    /// <summary>From one step to the next: bytes.</summary>
    static abstract int StepBytes { get; }

    /// <summary>Bytes before the steps of a run.</summary>
    static abstract int UpperBytes { get; }

    /// <summary>By how much a pair's values are larger than the weights they stand for.</summary>
    static abstract int Offset { get; }

    /// <summary>Steps of a run.</summary>
    static abstract int RunSteps(int group);

    /// <summary>What the steps of a run share, at the beginning of the run.</summary>
    static abstract TPairs LoadUpper(sbyte* run);

    /// <summary>The same as the next step takes it.</summary>
    static abstract TPairs NextUpper(TPairs upper);

    /// <summary>What the pairs of a step share.</summary>
    static abstract TPairs LoadLower(sbyte* step);

    /// <summary>The pairs 0 and 2 of a step, in whatever form <see cref="Pair"/> takes them.</summary>
    static abstract TPairs Even(TPairs lower, TPairs upper);

    /// <summary>The pairs 1 and 3 of a step.</summary>
    static abstract TPairs Odd(TPairs lower, TPairs upper);

    /// <summary>One pair of a step.</summary>
    /// <param name="index">Which one, 0 to 3; a constant.</param>
    /// <param name="step">Where the step lies.</param>
    /// <param name="even">Its <see cref="Even"/>.</param>
    /// <param name="odd">Its <see cref="Odd"/>.</param>
    static abstract TPairs Pair(int index, sbyte* step, TPairs even, TPairs odd);
}
