using System.Runtime.Intrinsics;
using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Transformer.Tests.Linear;

/// <summary>Four rows at a time, and a note of every byte of weights and scales that is read.</summary>
internal readonly unsafe struct RecordingLanes : IDotLanes<Vector128<short>, Vector128<int>, Vector128<float>>
{
    [ThreadStatic]
    private static Dictionary<nint, int>? _reads;

    public static int Count => DotLanes128.Count;

    /// <summary>How often each address is read while something runs.</summary>
    public static Dictionary<nint, int> Record(Action run)
    {
        var reads = _reads = [];
        run();
        _reads = null;
        return reads;
    }

    public static Vector128<short> LoadWeights(sbyte* source)
    {
        Note(source, Count * 2);
        return DotLanes128.LoadWeights(source);
    }

    public static Vector128<short> LoadWords(sbyte* source)
    {
        Note(source, Count * 4);
        return DotLanes128.LoadWords(source);
    }

    public static Vector128<float> LoadScales(ushort* source)
    {
        Note(source, Count * sizeof(ushort));
        return DotLanes128.LoadScales(source);
    }

    public static Vector128<short> LoadPairs(short* source) => DotLanes128.LoadPairs(source);

    public static void StorePairs(Vector128<short> pairs, short* destination) => DotLanes128.StorePairs(pairs, destination);

    public static Vector128<short> Subtract(Vector128<short> a, Vector128<short> b) => DotLanes128.Subtract(a, b);

    public static Vector128<short> Repeat(short bits) => DotLanes128.Repeat(bits);

    public static Vector128<short> And(Vector128<short> a, Vector128<short> b) => DotLanes128.And(a, b);

    public static Vector128<short> Or(Vector128<short> a, Vector128<short> b) => DotLanes128.Or(a, b);

    public static Vector128<short> ShiftLeft(Vector128<short> value, int bits) => DotLanes128.ShiftLeft(value, bits);

    public static Vector128<short> ShiftRight(Vector128<short> value, int bits) => DotLanes128.ShiftRight(value, bits);

    public static Vector128<int> Sums(int value) => DotLanes128.Sums(value);

    public static Vector128<short> Broadcast(int* pair) => DotLanes128.Broadcast(pair);

    public static Vector128<int> AddProducts(Vector128<int> sum, Vector128<short> weights, Vector128<short> activations) =>
        DotLanes128.AddProducts(sum, weights, activations);

    public static Vector128<float> BroadcastScale(float* scale) => DotLanes128.BroadcastScale(scale);

    public static Vector128<float> Accumulate(Vector128<float> result, Vector128<int> sum, Vector128<float> weightScales, Vector128<float> activationScales) =>
        DotLanes128.Accumulate(result, sum, weightScales, activationScales);

    public static Vector128<float> Load(float* source) => DotLanes128.Load(source);

    public static void Store(Vector128<float> results, float* destination) => DotLanes128.Store(results, destination);

    private static void Note(void* source, int bytes)
    {
        for (var i = 0; i < bytes; i++)
        {
            _reads![(nint)source + i] = _reads.GetValueOrDefault((nint)source + i) + 1;
        }
    }
}
