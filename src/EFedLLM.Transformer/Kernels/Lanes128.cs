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
}
