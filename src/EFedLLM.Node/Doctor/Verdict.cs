using System.Text.Json.Serialization;

namespace EFedLLM.Node.Doctor;

/// <summary>What a check comes to.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<Verdict>))]
internal enum Verdict
{
    /// <summary>As it should be.</summary>
    [JsonStringEnumMemberName("good")]
    Good,

    /// <summary>It works, but not well, or could not be looked at.</summary>
    [JsonStringEnumMemberName("doubtful")]
    Doubtful,

    /// <summary>A node will not work like this.</summary>
    [JsonStringEnumMemberName("bad")]
    Bad,
}
