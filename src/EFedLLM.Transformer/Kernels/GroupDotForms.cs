namespace EFedLLM.Transformer.Kernels;

/// <summary><see cref="GroupDot"/> for one register width and every form of weights.</summary>
internal static unsafe class GroupDotForms<TLanes, TPairs, TSums, TResults>
    where TLanes : struct, IDotLanes<TPairs, TSums, TResults>
    where TPairs : struct
    where TSums : struct
    where TResults : struct
{
    /// <inheritdoc cref="GroupDot.Add"/>
    public static void Add(in WeightBlocks matrix, int firstRow, int rows, in ActivationRows activations, int firstToken, int tokens, float* results)
    {
        switch (matrix.Bits)
        {
            case 4:
                Tiles<WordForm<FourBits, TLanes, TPairs, TSums, TResults>>(matrix, firstRow, rows, activations, firstToken, tokens, results);
                break;
            case 5:
                Tiles<WordForm<FiveBits, TLanes, TPairs, TSums, TResults>>(matrix, firstRow, rows, activations, firstToken, tokens, results);
                break;
            case 6:
                Tiles<WordForm<SixBits, TLanes, TPairs, TSums, TResults>>(matrix, firstRow, rows, activations, firstToken, tokens, results);
                break;
            default:
                Tiles<ByteForm<TLanes, TPairs, TSums, TResults>>(matrix, firstRow, rows, activations, firstToken, tokens, results);
                break;
        }
    }

    private static void Tiles<TForm>(in WeightBlocks matrix, int firstRow, int rows, in ActivationRows activations, int firstToken, int tokens, float* results)
        where TForm : struct, IWeightForm<TPairs> =>
        GroupDotTiles<TForm, TLanes, TPairs, TSums, TResults>.Add(matrix, firstRow, rows, activations, firstToken, tokens, results);
}
