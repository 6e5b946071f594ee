namespace EFedLLM.Transformer.Kernels;

/// <summary>One element at a time: for processors without vector registers, and for what is left over behind whole registers.</summary>
internal readonly unsafe struct Lanes1 : IFloatLanes<float>
{
    public static int Count => 1;

    public static float Create(float value) => value;

    public static float Load(float* source) => *source;

    public static void Store(float value, float* destination) => *destination = value;

    public static float Add(float left, float right) => left + right;

    public static float Subtract(float left, float right) => left - right;

    public static float Multiply(float left, float right) => left * right;

    public static float Divide(float left, float right) => left / right;

    public static float MultiplyAdd(float left, float right, float addend) => MathF.FusedMultiplyAdd(left, right, addend);

    public static float Larger(float left, float right) => left < right ? right : left;

    public static float Smaller(float left, float right) => right < left ? right : left;

    public static float TimesPowerOfTwo(float value, float shifted)
    {
        var power = BitConverter.SingleToInt32Bits(shifted) - FloatExp.ShifterBits;
        var half = power >> 1;
        return value
            * BitConverter.Int32BitsToSingle((half + FloatExp.ExponentBias) << FloatExp.MantissaBits)
            * BitConverter.Int32BitsToSingle((power - half + FloatExp.ExponentBias) << FloatExp.MantissaBits);
    }

    public static float Widen(Half* source) =>
        BitConverter.Int32BitsToSingle((BitConverter.HalfToInt16Bits(*source) << FloatHalf.MantissaRest) & FloatHalf.Moved) * FloatHalf.Rebias;

    public static void Narrow(float value, Half* destination)
    {
        var bits = BitConverter.SingleToInt32Bits(value);
        var magnitude = Math.Min(bits & FloatHalf.Magnitude, FloatHalf.Largest);
        var exponent = Math.Max(magnitude & FloatHalf.Exponent, FloatHalf.LeastNormal);
        var shifter = exponent + FloatHalf.Shifter;
        var sum = BitConverter.Int32BitsToSingle(magnitude) + BitConverter.Int32BitsToSingle(shifter);
        var rounded = (exponent >> FloatHalf.MantissaRest) - FloatHalf.ExponentRest + BitConverter.SingleToInt32Bits(sum) - shifter;
        *destination = BitConverter.Int16BitsToHalf((short)(rounded | ((bits >> 16) & FloatHalf.Sign)));
    }
}
