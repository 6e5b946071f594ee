using System.Buffers.Text;
using System.Security.Cryptography;
using CsCheck;
using EFedLLM.Actors.Membership;

namespace EFedLLM.Actors.Tests.Membership;

public class InviteTokenTests
{
    private static readonly InviteToken Sample = new(
        "0123456789abcdef",
        [.. Enumerable.Range(0, InviteToken.SecretBytes).Select(i => (byte)i)],
        new string('a', 64),
        new string('b', 64),
        DateTimeOffset.FromUnixTimeSeconds(1_800_000_000),
        ["192.168.1.5:7081"],
        ["192.168.1.5:4053", "[fe80::1]:4053"]);

    [Fact]
    public void A_token_comes_back_as_it_was()
    {
        string[] possible = ["127.0.0.1:1", "[::1]:65535", "a-host.example:4053", $"{new string('h', 249)}:65535"];
        var hosts = Gen.Int[0, possible.Length - 1].Select(index => possible[index]);
        Gen.Select(
            Gen.Byte.Array[8], Gen.Byte.Array[InviteToken.SecretBytes], Gen.Byte.Array[32], Gen.Byte.Array[32],
            Gen.Long[0, 253_402_300_799], hosts.Array[1, InviteToken.MaxAddresses], hosts.Array[1, InviteToken.MaxAddresses])
            .Select((id, secret, authority, server, expires, addresses, seeds) => new InviteToken(
                Convert.ToHexStringLower(id), [.. secret], Convert.ToHexStringLower(authority), Convert.ToHexStringLower(server),
                DateTimeOffset.FromUnixTimeSeconds(expires), [.. addresses], [.. seeds]))
            .Sample(
                token =>
                {
                    var text = token.ToString();
                    var back = InviteToken.Parse($"  {text}\n");
                    Assert.Equal(token.Addresses.AsEnumerable(), back.Addresses.AsEnumerable());
                    Assert.Equal(token.Seeds.AsEnumerable(), back.Seeds.AsEnumerable());
                    Assert.Equal(token.Secret.AsEnumerable(), back.Secret.AsEnumerable());
                    Assert.Equal((token.Id, token.Authority, token.Server, token.Expires), (back.Id, back.Authority, back.Server, back.Expires));
                    Assert.Equal(text, back.ToString());
                },
                iter: 300,
                threads: 1);
    }

    [Fact]
    public void A_token_is_one_word_that_shells_and_chats_leave_alone()
    {
        var text = Sample.ToString();
        Assert.InRange(text.Length, 100, 260);
        Assert.All(text, character => Assert.True(char.IsAsciiLetterOrDigit(character) || character is '-' or '_', $"{character}"));
        Assert.NotEqual('-', text[0]);
    }

    [Fact]
    public void A_token_cut_off_anywhere_or_changed_in_any_place_is_refused_and_says_so()
    {
        var text = Sample.ToString();
        for (var length = 0; length < text.Length; length++)
        {
            Assert.Contains("invite", Assert.Throws<FormatException>(() => InviteToken.Parse(text[..length])).Message, StringComparison.Ordinal);
        }

        for (var at = 0; at < text.Length; at++)
        {
            var other = text[at] == 'A' ? 'B' : 'A';
            var error = Record.Exception(() => InviteToken.Parse($"{text[..at]}{other}{text[(at + 1)..]}"));
            Assert.IsType<FormatException>(error);
        }
    }

    [Fact]
    public void What_is_wrong_with_a_token_is_told_apart()
    {
        var bytes = Base64Url.DecodeFromChars(Sample.ToString());
        Assert.Contains("at most", Message(new string('A', InviteToken.MaxCharacters + 1)), StringComparison.Ordinal);
        Assert.Contains("characters that no invite has", Message("efedllm join abc"), StringComparison.Ordinal);
        Assert.Contains("this version", Message(Signed([2, .. bytes.AsSpan(1, bytes.Length - 5)])), StringComparison.Ordinal);
        Assert.Contains("incomplete or was changed", Message(Base64Url.EncodeToString(bytes.AsSpan(0, bytes.Length - 1))), StringComparison.Ordinal);
        Assert.Contains("damaged", Message(Signed(bytes[..^5])), StringComparison.Ordinal);
        Assert.Contains("damaged", Message(Signed([.. bytes.AsSpan(0, bytes.Length - 4), 0])), StringComparison.Ordinal);
        Assert.Contains("incomplete", Message(""), StringComparison.Ordinal);
    }

    [Fact]
    public void Whatever_is_behind_a_right_checksum_is_a_token_or_is_refused()
    {
        Gen.Byte.Array[0, 300].Sample(
            body =>
            {
                try
                {
                    var text = Signed([1, .. body]);
                    Assert.Equal(text, InviteToken.Parse(text).ToString());
                }
                catch (FormatException)
                {
                    // As it should be.
                }
            },
            iter: 2000,
            threads: 1);
        var bytes = Base64Url.DecodeFromChars(Sample.ToString())[..^4];
        for (var at = 1; at < bytes.Length; at++)
        {
            foreach (byte value in new byte[] { 0, 9, 127, 128, 255 })
            {
                byte[] changed = [.. bytes];
                changed[at] = value;
                Assert.True(Record.Exception(() => InviteToken.Parse(Signed(changed))) is null or FormatException, $"byte {at} is {value}");
            }
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(InviteToken.MaxAddresses + 1)]
    public void A_token_without_an_address_or_with_too_many_is_not_written(int count)
        => Assert.Throws<ArgumentOutOfRangeException>(() => (Sample with { Seeds = [.. Enumerable.Repeat("a:1", count)] }).ToString());

    private static string Message(string text) => Assert.Throws<FormatException>(() => InviteToken.Parse(text)).Message;

    private static string Signed(byte[] bytes) => Base64Url.EncodeToString([.. bytes, .. SHA256.HashData(bytes).AsSpan(0, 4)]);
}
