using System.Runtime.Intrinsics;

namespace EFedLLM.Transformer.Kernels;

/// <summary>8 elements in a register of 256 bits.</summary>
internal readonly unsafe struct Lanes256 : IFloatLanes<Vector256<float>>
{
    public static int Count => Vector256<float>.Count;

    public static Vector256<float> Create(float value) => Vector256.Create(value);

    public static Vector256<float> Load(float* source) => Vector256.Load(source);

    public static void Store(Vector256<float> value, float* destination) => value.Store(destination);

    public static Vector256<float> Add(Vector256<float> left, Vector256<float> right) => left + right;

    public static Vector256<float> Subtract(Vector256<float> left, Vector256<float> right) => left - right;

    public static Vector256<float> Multiply(Vector256<float> left, Vector256<float> right) => left * right;

    public static Vector256<float> Divide(Vector256<float> left, Vector256<float> right) => left / right;

    public static Vector256<float> MultiplyAdd(Vector256<float> left, Vector256<float> right, Vector256<float> addend) =>
        Vector256.FusedMultiplyAdd(left, right, addend);

    public static Vector256<float> Larger(Vector256<float> left, Vector256<float> right) =>
        Vector256.ConditionalSelect(Vector256.LessThan(left, right), right, left);

    public static Vector256<float> Smaller(Vector256<float> left, Vector256<float> right) =>
        Vector256.ConditionalSelect(Vector256.LessThan(right, left), right, left);

    public static Vector256<float> TimesPowerOfTwo(Vector256<float> value, Vector256<float> shifted)
    {
        var power = shifted.AsInt32() - Vector256.Create(FloatExp.ShifterBits);
        var half = power >> 1;
        var bias = Vector256.Create(FloatExp.ExponentBias);
        return value * ((half + bias) << FloatExp.MantissaBits).AsSingle() * ((power - half + bias) << FloatExp.MantissaBits).AsSingle();
    }

    public static Vector256<float> Widen(Half* source)
    {
        var bits = Vector256.WidenLower(Vector128.Load((short*)source).ToVector256Unsafe());
        return ((bits << FloatHalf.MantissaRest) & Vector256.Create(FloatHalf.Moved)).AsSingle() * Vector256.Create(FloatHalf.Rebias);
    }

    public static void Narrow(Vector256<float> value, Half* destination)
    {
        var bits = value.AsInt32();
        var magnitude = Vector256.Min(bits & Vector256.Create(FloatHalf.Magnitude), Vector256.Create(FloatHalf.Largest));
        var exponent = Vector256.Max(magnitude & Vector256.Create(FloatHalf.Exponent), Vector256.Create(FloatHalf.LeastNormal));
        var shifter = exponent + Vector256.Create(FloatHalf.Shifter);
        var sum = magnitude.AsSingle() + shifter.AsSingle();
        var rounded = (exponent >> FloatHalf.MantissaRest) - Vector256.Create(FloatHalf.ExponentRest) + sum.AsInt32() - shifter;
        var half = rounded | ((bits >> 16) & Vector256.Create(FloatHalf.Sign));
        Vector128.Narrow(half.GetLower(), half.GetUpper()).Store((short*)destination);
    }
}
