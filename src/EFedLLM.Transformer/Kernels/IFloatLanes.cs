namespace EFedLLM.Transformer.Kernels;

/// <summary>
/// What the float kernels ask of a vector register of some width. Every operation is the same IEEE 754 operation on each
/// element (to nearest even, denormals kept), so a kernel written on these gives the same bits at every width.
/// </summary>
/// <typeparam name="TVector">The register: a vector of float32, or one float32.</typeparam>
internal unsafe interface IFloatLanes<TVector>
    where TVector : struct
{
    /// <summary>Elements in a register; divides <see cref="FloatKernels.Lanes"/>.</summary>
    static abstract int Count { get; }

    static abstract TVector Create(float value);

    static abstract TVector Load(float* source);

    static abstract void Store(TVector value, float* destination);

    static abstract TVector Add(TVector left, TVector right);

    static abstract TVector Subtract(TVector left, TVector right);

    static abstract TVector Multiply(TVector left, TVector right);

    static abstract TVector Divide(TVector left, TVector right);

    /// <summary>left * right + addend, rounded once.</summary>
    static abstract TVector MultiplyAdd(TVector left, TVector right, TVector addend);

    /// <summary>left where left &lt; right does not hold, else right: a NaN on the left stays, one on the right is passed over.</summary>
    static abstract TVector Larger(TVector left, TVector right);

    /// <summary>left where right &lt; left does not hold, else right: a NaN on the left stays, one on the right is passed over.</summary>
    static abstract TVector Smaller(TVector left, TVector right);

    /// <summary>value * 2^n for n of -150 to 128, in two steps of half the power each so that both are normal numbers.</summary>
    /// <param name="value">What is multiplied.</param>
    /// <param name="shifted">n + <see cref="FloatExp.Shifter"/>, whose low bits are n.</param>
    static abstract TVector TimesPowerOfTwo(TVector value, TVector shifted);

    /// <summary>The halves of a register as float32, which is exact; they are finite. See <see cref="FloatHalf"/>.</summary>
    static abstract TVector Widen(Half* source);

    /// <summary>Rounds a register to halves; what is beyond them becomes the largest. See <see cref="FloatHalf"/>.</summary>
    static abstract void Narrow(TVector value, Half* destination);
}
