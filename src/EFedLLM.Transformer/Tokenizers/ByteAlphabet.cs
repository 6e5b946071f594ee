namespace EFedLLM.Transformer.Tokenizers;

/// <summary>
/// The printable character that stands for each byte in the vocabularies of byte-level tokenizers (GPT-2's table):
/// printable Latin-1 characters stand for themselves, the other bytes get the characters from U+0100 on, in order.
/// </summary>
internal static class ByteAlphabet
{
    private static readonly char[] Characters = Build();
    private static readonly short[] Bytes = Invert(Characters);

    /// <summary>The bytes of a text, each as its character.</summary>
    public static string Encode(ReadOnlySpan<byte> utf8) => string.Create(utf8.Length, utf8, static (characters, bytes) =>
    {
        for (var i = 0; i < bytes.Length; i++)
        {
            characters[i] = Characters[bytes[i]];
        }
    });

    /// <summary>The bytes that a token's characters stand for, or null where one stands for none.</summary>
    public static byte[]? Decode(string token)
    {
        var bytes = new byte[token.Length];
        for (var i = 0; i < token.Length; i++)
        {
            if (token[i] >= Bytes.Length || Bytes[token[i]] < 0)
            {
                return null;
            }

            bytes[i] = (byte)Bytes[token[i]];
        }

        return bytes;
    }

    private static char[] Build()
    {
        var characters = new char[256];
        var next = '\u0100';
        for (var value = 0; value < 256; value++)
        {
            characters[value] = value is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or (>= 0xAE and <= 0xFF) ? (char)value : next++;
        }

        return characters;
    }

    private static short[] Invert(char[] characters)
    {
        var bytes = new short[characters.Max() + 1];
        Array.Fill(bytes, (short)-1);
        for (var value = 0; value < characters.Length; value++)
        {
            bytes[characters[value]] = (short)value;
        }

        return bytes;
    }
}
