using System.Collections.Immutable;
using CsCheck;
using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Membership;
using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Tests.Membership;

public sealed class RevocationTests : IDisposable
{
    private static readonly DateTimeOffset At = DateTimeOffset.FromUnixTimeMilliseconds(1_800_000_000_123);

    private readonly string _folder = Directory.CreateTempSubdirectory("efedllm-revocations-").FullName;
    private readonly CertificateAuthority _ours;
    private readonly CertificateAuthority _theirs;

    public RevocationTests()
    {
        _ours = CertificateAuthority.Create(In("ca"), "ours", TimeSpan.FromDays(1));
        _theirs = CertificateAuthority.Create(In("other"), "ours", TimeSpan.FromDays(1));
    }

    public void Dispose()
    {
        _ours.Dispose();
        _theirs.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public void A_decision_comes_back_as_it_was_signed()
    {
        using var authority = _ours.PublicCertificate();
        var decision = Decision(7, 1, revoked: true, keys: [new string('a', 64), new string('0', 64)]);
        Assert.Equal(decision, Revocation.Read(decision.Sign(_ours), authority));
    }

    [Fact]
    public void A_forged_or_changed_decision_is_none()
    {
        var store = Open("data");
        var genuine = Decision(1, 1, revoked: true).Sign(_ours);
        Assert.False(store.Add([Decision(9, 2, revoked: true).Sign(_theirs)]));
        for (var at = 0; at < genuine.Content.Length; at++)
        {
            var content = genuine.Content.ToArray();
            content[at] ^= 1;
            Assert.False(store.Add([genuine with { Content = content }]), $"byte {at}");
        }

        for (var at = 0; at < genuine.Signature.Length; at++)
        {
            var signature = genuine.Signature.ToArray();
            signature[at] ^= 1;
            Assert.False(store.Add([genuine with { Signature = signature }]), $"byte {at} of the signature");
        }

        Assert.False(store.Add([genuine with { Signature = ReadOnlyMemory<byte>.Empty }, genuine with { Content = ReadOnlyMemory<byte>.Empty }]));
        Assert.False(store.Add([new SignedRevocation(genuine.Content, _ours.Sign(new Statement(StatementPurpose.Enrolment, ClusterId.Parse(_ours.Fingerprint), 1, genuine.Content.Span)))]), "A signature for another purpose counts for nothing.");
        Assert.True(store.Add([genuine]));
        Assert.False(store.Add([genuine]));
        Assert.Equal(1, store.Current.Version);
    }

    [Fact]
    public void An_old_decision_that_is_played_back_lets_nobody_in()
    {
        var store = Open("data");
        var (out1, in2, out3) = (Decision(1, 1, true).Sign(_ours), Decision(2, 1, false).Sign(_ours), Decision(3, 1, true).Sign(_ours));
        Assert.True(store.Add([out1]));
        Assert.True(store.Add([in2]));
        Assert.Null(store.Current.Find(Device(1)));
        Assert.True(store.Add([out3]));
        Assert.False(store.Add([in2, out1]));
        Assert.NotNull(store.Current.Find(Device(1)));
    }

    [Fact]
    public void Decisions_make_the_same_set_in_any_order_and_any_number()
    {
        SignedRevocation[] all = [.. from version in Enumerable.Range(1, 3) from device in Enumerable.Range(1, 3) from revoked in new[] { true, false } select Decision(version, device, revoked).Sign(_ours)];
        using var authority = _ours.PublicCertificate();
        var one = Fold(all);
        Gen.Shuffle(all).Sample(
            order =>
            {
                var other = Fold([.. order, .. order.Take(5)]);
                Assert.Equal(one.Signed.AsEnumerable(), other.Signed.AsEnumerable());
                Assert.Equal(one.Evicted.AsEnumerable(), other.Evicted.AsEnumerable());
            },
            iter: 30,
            threads: 1);
        Assert.Equal(3, one.Evicted.Length);

        RevocationSet Fold(IEnumerable<SignedRevocation> signed) => signed.Aggregate(RevocationSet.Empty, (set, next) => set.With(Revocation.Read(next, authority)!, next));
    }

    [Fact]
    public void What_was_refused_is_refused_after_a_restart_and_by_device_or_key()
    {
        _ours.Issue(In("named"), "named", [], TimeSpan.FromHours(1), Device(1));
        _ours.Issue(In("nameless"), "nameless", [], TimeSpan.FromHours(1));
        using var named = NodeCertificate.Load(In("named"));
        using var nameless = NodeCertificate.Load(In("nameless"));
        var store = Open("data");
        Assert.Null(store.Reject(named.Certificate));
        store.Add([Decision(1, 1, true).Sign(_ours), Decision(2, 2, true, [nameless.Fingerprint]).Sign(_ours)]);
        foreach (var now in new[] { store, Open("data") })
        {
            Assert.Contains("evicted", now.Reject(named.Certificate)!, StringComparison.Ordinal);
            Assert.Contains("evicted", now.Reject(nameless.Certificate)!, StringComparison.Ordinal);
        }

        store.Add([Decision(3, 2, false).Sign(_ours)]);
        Assert.Null(Open("data").Reject(nameless.Certificate));
        Assert.NotNull(Open("data").Reject(named.Certificate));
        Assert.Null(Open("elsewhere").Reject(named.Certificate));
    }

    [Fact]
    public void A_decision_that_cannot_be_written_counts_all_the_same_and_is_written_when_that_is_possible()
    {
        var decision = Decision(1, 1, true).Sign(_ours);
        Directory.CreateDirectory(In("data"));
        var store = Open("data");
        var file = Path.Combine(In("data"), $"revocations-{_ours.Fingerprint[..16]}");
        Directory.CreateDirectory(Path.Combine(file, "in the way"));
        Assert.True(Record.Exception(() => store.Add([decision])) is IOException or UnauthorizedAccessException);
        Assert.NotNull(store.Current.Find(Device(1)));
        Directory.Delete(file, recursive: true);
        Assert.False(store.Add([decision]));
        Assert.NotNull(Open("data").Current.Find(Device(1)));
        Assert.Single(Directory.GetFileSystemEntries(In("data")));
    }

    [Fact]
    public void A_damaged_file_stops_the_node_rather_than_letting_everybody_in()
    {
        Open("data").Add([Decision(1, 1, true).Sign(_ours)]);
        var file = Directory.GetFiles(In("data")).Single();
        foreach (var damage in new byte[][] { [255, 255], new byte[(ProtocolLimits.Revocations * 512) + 1] })
        {
            File.WriteAllBytes(file, damage);
            Assert.Contains(file, Assert.Throws<InvalidDataException>(() => Open("data")).Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_file_with_decisions_that_another_authority_signed_stops_the_node()
    {
        Open("data").Add([Decision(1, 1, true).Sign(_ours)]);
        var file = Directory.GetFiles(In("data")).Single();
        using (var authority = _theirs.PublicCertificate())
        {
            RevocationStore.Open(In("theirs"), authority).Add([Decision(1, 1, true).Sign(_theirs)]);
        }

        File.Copy(Directory.GetFiles(In("theirs")).Single(), file, overwrite: true);
        Assert.Contains("not all of it is signed", Assert.Throws<InvalidDataException>(() => Open("data")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_decision_is_signed_for_its_version_and_its_cluster_alone()
    {
        using var authority = _ours.PublicCertificate();
        var (decision, later) = (Decision(1, 1, true).Sign(_ours), Decision(2, 1, true).Sign(_ours));
        Assert.NotNull(Revocation.Read(decision, authority));
        Assert.Null(Revocation.Read(decision with { Signature = later.Signature }, authority));

        // The authority's own signature of just this content, and of another purpose, cluster or version.
        Assert.All<Statement>(
            [
                new(StatementPurpose.Receipt, ClusterId.Parse(_ours.Fingerprint), 1, decision.Content.Span),
                new(StatementPurpose.Revocation, ClusterId.Parse(_theirs.Fingerprint), 1, decision.Content.Span),
                new(StatementPurpose.Revocation, ClusterId.Parse(_ours.Fingerprint), 2, decision.Content.Span),
            ],
            statement => Assert.Null(Revocation.Read(decision with { Signature = _ours.Sign(statement) }, authority)));
    }

    [Fact]
    public void A_decision_without_sense_is_none_though_the_authority_signed_it()
    {
        var store = Open("data");
        Assert.False(store.Add(
        [
            Decision(0, 1, true).Sign(_ours),
            (Decision(1, 1, true) with { Name = new string('n', Revocation.NameCharacters + 1) }).Sign(_ours),
            Decision(1, 1, true, [.. Enumerable.Range(0, ProtocolLimits.RevokedKeys + 1).Select(number => $"{number:x64}")]).Sign(_ours),
        ]));
    }

    private static Revocation Decision(long version, int device, bool revoked, ImmutableArray<string> keys = default) =>
        new(version, Device(device), revoked, keys.IsDefault ? [] : keys, $"device {device}", At);

    private static DeviceId Device(int number) => new($"{number:x32}");

    private RevocationStore Open(string folder)
    {
        using var authority = _ours.PublicCertificate();
        return RevocationStore.Open(In(folder), authority);
    }

    private string In(string name) => Path.Combine(_folder, name);
}
