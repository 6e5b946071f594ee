using Google.Protobuf;

namespace EFedLLM.Transformer.Tokenizers;

/// <summary>What a piece of a sentencepiece model is; the numbers are the file format's.</summary>
internal enum SentencePieceKind
{
    Normal = 1,
    Unknown = 2,
    Control = 3,
    UserDefined = 4,
    Unused = 5,
    Byte = 6,
}

/// <summary>The part of a sentencepiece ModelProto (sentencepiece_model.proto of google/sentencepiece) that decoding needs, bounds checked.</summary>
internal sealed class SentencePieceModel
{
    private const int MaximumPieceLength = 256;
    private const int Unigram = 1;
    private const int BytePair = 2;

    private SentencePieceModel()
    {
    }

    /// <summary>The pieces; their places are their ids.</summary>
    public List<(string Text, SentencePieceKind Kind, float Score)> Pieces { get; } = [];

    public bool HasByteFallback { get; private set; }

    public bool AddsDummyPrefix { get; private set; } = true;

    public int UnknownId { get; private set; }

    public int? BeginId { get; private set; } = 1;

    public int? EndId { get; private set; } = 2;

    public bool IsBytePair => ModelType == BytePair;

    private int ModelType { get; set; } = Unigram;

    private bool HasSpaceAsSuffix { get; set; }

    /// <exception cref="InvalidDataException">It is malformed.</exception>
    /// <exception cref="NotSupportedException">It is of another kind; the message names it.</exception>
    public static SentencePieceModel Parse(byte[] bytes, string path)
    {
        var model = new SentencePieceModel();
        try
        {
            model.Read(new CodedInputStream(bytes));
        }
        catch (InvalidProtocolBufferException error)
        {
            throw new InvalidDataException($"\"{path}\" is not a sentencepiece model: {error.Message}", error);
        }

        model.Check(path);
        return model;
    }

    private static void Fields(ByteString message, Action<uint, CodedInputStream> field)
    {
        var input = message.CreateCodedInput();
        while (input.ReadTag() is not 0 and var tag)
        {
            field(tag, input);
        }
    }

    private static uint Varint(int field) => WireFormat.MakeTag(field, WireFormat.WireType.Varint);

    private static uint Message(int field) => WireFormat.MakeTag(field, WireFormat.WireType.LengthDelimited);

    private void Read(CodedInputStream input)
    {
        while (input.ReadTag() is not 0 and var tag)
        {
            if (tag == Message(1))
            {
                ReadPiece(input.ReadBytes());
            }
            else if (tag == Message(2))
            {
                Fields(input.ReadBytes(), ReadTrainer);
            }
            else if (tag == Message(3))
            {
                Fields(input.ReadBytes(), ReadNormalizer);
            }
            else
            {
                input.SkipLastField();
            }
        }
    }

    private void ReadPiece(ByteString message)
    {
        var (text, kind, score) = ("", (int)SentencePieceKind.Normal, 0f);
        Fields(message, (tag, input) =>
        {
            if (tag == Message(1))
            {
                text = input.ReadString();
            }
            else if (tag == WireFormat.MakeTag(2, WireFormat.WireType.Fixed32))
            {
                score = input.ReadFloat();
            }
            else if (tag == Varint(3))
            {
                kind = input.ReadEnum();
            }
            else
            {
                input.SkipLastField();
            }
        });
        Pieces.Add((text, (SentencePieceKind)kind, score));
    }

    private void ReadTrainer(uint tag, CodedInputStream input)
    {
        if (tag == Varint(3))
        {
            ModelType = input.ReadEnum();
        }
        else if (tag == Varint(24))
        {
            HasSpaceAsSuffix = input.ReadBool();
        }
        else if (tag == Varint(35))
        {
            HasByteFallback = input.ReadBool();
        }
        else if (tag == Varint(40))
        {
            UnknownId = input.ReadInt32();
        }
        else if (tag == Varint(41))
        {
            BeginId = Present(input.ReadInt32());
        }
        else if (tag == Varint(42))
        {
            EndId = Present(input.ReadInt32());
        }
        else
        {
            input.SkipLastField();
        }
    }

    private static int? Present(int id) => id < 0 ? null : id;

    private void ReadNormalizer(uint tag, CodedInputStream input)
    {
        if (tag == Varint(3))
        {
            AddsDummyPrefix = input.ReadBool();
        }
        else
        {
            input.SkipLastField();
        }
    }

    private void Check(string path)
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (text, kind, score) in Pieces)
        {
            Require(text.Length is > 0 and <= MaximumPieceLength && Enum.IsDefined(kind) && float.IsFinite(score) && names.Add(text), "has a piece that is empty, too long, of no known kind, without a finite score, or there twice");
        }

        Require(Pieces.Count is > 0 and <= TokenizerJsonReader.MaximumId, "has no pieces, or too many");
        Require(UnknownId >= 0 && UnknownId < Pieces.Count, "has an id of the unknown piece that no piece has");
        Require(!(BeginId >= Pieces.Count) && !(EndId >= Pieces.Count), "has begin or end ids that no piece has");
        Require(!HasByteFallback || Enumerable.Range(0, 256).All(value => names.Contains($"<0x{value:X2}>")), "falls back to bytes without a piece for each");
        if (ModelType is not (Unigram or BytePair))
        {
            throw new NotSupportedException($"\"{path}\" is a sentencepiece model of type {ModelType}; supported are unigram (1) and BPE (2).");
        }

        if (IsBytePair && Pieces.Exists(piece => piece.Kind == SentencePieceKind.Unused))
        {
            throw new NotSupportedException($"\"{path}\" is a BPE model with unused pieces, which is not supported.");
        }

        if (HasSpaceAsSuffix)
        {
            throw new NotSupportedException($"\"{path}\" treats spaces as suffixes (treat_whitespace_as_suffix), which is not supported.");
        }

        void Require(bool condition, string problem)
        {
            if (!condition)
            {
                throw new InvalidDataException($"\"{path}\" {problem}. Fetch the tokenizer again.");
            }
        }
    }
}
