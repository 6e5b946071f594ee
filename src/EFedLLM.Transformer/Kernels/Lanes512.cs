using System.Runtime.Intrinsics;

namespace EFedLLM.Transformer.Kernels;

/// <summary>16 elements in a register of 512 bits.</summary>
internal readonly unsafe struct Lanes512 : IFloatLanes<Vector512<float>>
{
    public static int Count => Vector512<float>.Count;

    public static Vector512<float> Create(float value) => Vector512.Create(value);

    public static Vector512<float> Load(float* source) => Vector512.Load(source);

    public static void Store(Vector512<float> value, float* destination) => value.Store(destination);

    public static Vector512<float> Add(Vector512<float> left, Vector512<float> right) => left + right;

    public static Vector512<float> Subtract(Vector512<float> left, Vector512<float> right) => left - right;

    public static Vector512<float> Multiply(Vector512<float> left, Vector512<float> right) => left * right;

    public static Vector512<float> Divide(Vector512<float> left, Vector512<float> right) => left / right;

    public static Vector512<float> MultiplyAdd(Vector512<float> left, Vector512<float> right, Vector512<float> addend) =>
        Vector512.FusedMultiplyAdd(left, right, addend);

    public static Vector512<float> Larger(Vector512<float> left, Vector512<float> right) =>
        Vector512.ConditionalSelect(Vector512.LessThan(left, right), right, left);

    public static Vector512<float> Smaller(Vector512<float> left, Vector512<float> right) =>
        Vector512.ConditionalSelect(Vector512.LessThan(right, left), right, left);

    public static Vector512<float> TimesPowerOfTwo(Vector512<float> value, Vector512<float> shifted)
    {
        var power = shifted.AsInt32() - Vector512.Create(FloatExp.ShifterBits);
        var half = power >> 1;
        var bias = Vector512.Create(FloatExp.ExponentBias);
        return value * ((half + bias) << FloatExp.MantissaBits).AsSingle() * ((power - half + bias) << FloatExp.MantissaBits).AsSingle();
    }

    public static Vector512<float> Widen(Half* source)
    {
        var bits = Vector512.WidenLower(Vector256.Load((short*)source).ToVector512Unsafe());
        return ((bits << FloatHalf.MantissaRest) & Vector512.Create(FloatHalf.Moved)).AsSingle() * Vector512.Create(FloatHalf.Rebias);
    }

    public static void Narrow(Vector512<float> value, Half* destination)
    {
        var bits = value.AsInt32();
        var magnitude = Vector512.Min(bits & Vector512.Create(FloatHalf.Magnitude), Vector512.Create(FloatHalf.Largest));
        var exponent = Vector512.Max(magnitude & Vector512.Create(FloatHalf.Exponent), Vector512.Create(FloatHalf.LeastNormal));
        var shifter = exponent + Vector512.Create(FloatHalf.Shifter);
        var sum = magnitude.AsSingle() + shifter.AsSingle();
        var rounded = (exponent >> FloatHalf.MantissaRest) - Vector512.Create(FloatHalf.ExponentRest) + sum.AsInt32() - shifter;
        var half = rounded | ((bits >> 16) & Vector512.Create(FloatHalf.Sign));
        Vector256.Narrow(half.GetLower(), half.GetUpper()).Store((short*)destination);
    }
}
