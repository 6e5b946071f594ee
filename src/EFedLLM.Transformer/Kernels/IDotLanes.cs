namespace EFedLLM.Transformer.Kernels;

/// <summary>What a group dot product needs of one register width. A lane is one row of the matrix.</summary>
/// <typeparam name="TPairs">A register with a pair of int16 in each lane.</typeparam>
/// <typeparam name="TSums">A register with an int32 in each lane.</typeparam>
/// <typeparam name="TResults">A register with a float32 in each lane.</typeparam>
internal unsafe interface IDotLanes<TPairs, TSums, TResults>
    where TPairs : struct
    where TSums : struct
    where TResults : struct
{
    /// <summary>Rows in a register.</summary>
    static abstract int Count { get; }

    /// <summary>The int8 pairs of <see cref="Count"/> rows, widened.</summary>
    static abstract TPairs LoadWeights(sbyte* source);

    /// <summary>The words of <see cref="Count"/> rows, four bytes of each.</summary>
    static abstract TPairs LoadWords(sbyte* source);

    /// <summary>Pairs that <see cref="StorePairs"/> has written.</summary>
    static abstract TPairs LoadPairs(short* source);

    /// <summary>Writes pairs, one after the other.</summary>
    static abstract void StorePairs(TPairs pairs, short* destination);

    /// <summary>a - b in every half of a lane.</summary>
    static abstract TPairs Subtract(TPairs a, TPairs b);

    /// <summary>The same 16 bits in both halves of every lane.</summary>
    static abstract TPairs Repeat(short bits);

    /// <summary>a and b, bit by bit.</summary>
    static abstract TPairs And(TPairs a, TPairs b);

    /// <summary>a or b, bit by bit.</summary>
    static abstract TPairs Or(TPairs a, TPairs b);

    /// <summary>Shifts the 16 bits of every half to the left.</summary>
    static abstract TPairs ShiftLeft(TPairs value, int bits);

    /// <summary>Shifts the 16 bits of every half to the right and fills up with zeros.</summary>
    static abstract TPairs ShiftRight(TPairs value, int bits);

    /// <summary>The same sum in every lane.</summary>
    static abstract TSums Sums(int value);

    /// <summary>One pair of activations in every lane.</summary>
    static abstract TPairs Broadcast(int* pair);

    /// <summary>sum + w0·x0 + w1·x1 in every lane; the group's sum fits 32 bits: 64 · 128 · 32768 is 2^28, and weights of 6 bits with their offset stay below 2^27.</summary>
    static abstract TSums AddProducts(TSums sum, TPairs weights, TPairs activations);

    /// <summary>The bfloat16 scales of <see cref="Count"/> rows as float32.</summary>
    static abstract TResults LoadScales(ushort* source);

    /// <summary>The scale of a group of activations in every lane.</summary>
    static abstract TResults BroadcastScale(float* scale);

    /// <summary>fma((float)sum, weightScale · activationScale, result) in every lane.</summary>
    static abstract TResults Accumulate(TResults result, TSums sum, TResults weightScales, TResults activationScales);

    /// <summary>Reads results.</summary>
    static abstract TResults Load(float* source);

    /// <summary>Writes results.</summary>
    static abstract void Store(TResults results, float* destination);
}
