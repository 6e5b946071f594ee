using System.Runtime.Intrinsics;

namespace EFedLLM.Transformer.Kernels;

/// <summary>4 elements in a register of 128 bits.</summary>
internal readonly unsafe struct Lanes128 : IFloatLanes<Vector128<float>>
{
    public static int Count => Vector128<float>.Count;

    public static Vector128<float> Create(float value) => Vector128.Create(value);

    public static Vector128<float> Load(float* source) => Vector128.Load(source);

    public static void Store(Vector128<float> value, float* destination) => value.Store(destination);

    public static Vector128<float> Add(Vector128<float> left, Vector128<float> right) => left + right;

    public static Vector128<float> Subtract(Vector128<float> left, Vector128<float> right) => left - right;

    public static Vector128<float> Multiply(Vector128<float> left, Vector128<float> right) => left * right;

    public static Vector128<float> Divide(Vector128<float> left, Vector128<float> right) => left / right;

    public static Vector128<float> MultiplyAdd(Vector128<float> left, Vector128<float> right, Vector128<float> addend) =>
        Vector128.FusedMultiplyAdd(left, right, addend);

    public static Vector128<float> Larger(Vector128<float> left, Vector128<float> right) =>
        Vector128.ConditionalSelect(Vector128.LessThan(left, right), right, left);

    public static Vector128<float> Smaller(Vector128<float> left, Vector128<float> right) =>
        Vector128.ConditionalSelect(Vector128.LessThan(right, left), right, left);

    public static Vector128<float> TimesPowerOfTwo(Vector128<float> value, Vector128<float> shifted)
    {
        var power = shifted.AsInt32() - Vector128.Create(FloatExp.ShifterBits);
        var half = power >> 1;
        var bias = Vector128.Create(FloatExp.ExponentBias);
        return value * ((half + bias) << FloatExp.MantissaBits).AsSingle() * ((power - half + bias) << FloatExp.MantissaBits).AsSingle();
    }

    public static Vector128<float> Widen(Half* source)
    {
        var bits = Vector128.WidenLower(Vector128.CreateScalarUnsafe(*(long*)source).AsInt16());
        return ((bits << FloatHalf.MantissaRest) & Vector128.Create(FloatHalf.Moved)).AsSingle() * Vector128.Create(FloatHalf.Rebias);
    }

    public static void Narrow(Vector128<float> value, Half* destination)
    {
        var bits = value.AsInt32();
        var magnitude = Vector128.Min(bits & Vector128.Create(FloatHalf.Magnitude), Vector128.Create(FloatHalf.Largest));
        var exponent = Vector128.Max(magnitude & Vector128.Create(FloatHalf.Exponent), Vector128.Create(FloatHalf.LeastNormal));
        var shifter = exponent + Vector128.Create(FloatHalf.Shifter);
        var sum = magnitude.AsSingle() + shifter.AsSingle();
        var rounded = (exponent >> FloatHalf.MantissaRest) - Vector128.Create(FloatHalf.ExponentRest) + sum.AsInt32() - shifter;
        var half = rounded | ((bits >> 16) & Vector128.Create(FloatHalf.Sign));
        *(long*)destination = Vector128.Narrow(half, half).AsInt64().ToScalar();
    }
}
