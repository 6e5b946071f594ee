namespace EFedLLM.Transformer.Checkpoints.Gguf;

/// <summary>Where a metadata value lies; it is read when it is asked for.</summary>
/// <param name="Type">Its type; of an array, that of its elements.</param>
/// <param name="IsArray">Whether it is an array.</param>
/// <param name="Offset">Where its data begins, in bytes from the beginning of the file: behind the length of an array, at the length of a string.</param>
/// <param name="Count">Elements of an array; else 1.</param>
internal readonly record struct GgufValue(GgufValueType Type, bool IsArray, long Offset, long Count);
