package buckettest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// azureKey is that of the account, as Azure writes keys.
var azureKey = base64.StdEncoding.EncodeToString([]byte(Secret))

// Azure is S3 for Azure's storage, spoken by Azurite.
func Azure(t testing.TB, containers ...string) *Server {
	t.Helper()
	program := find(t, "azurite-blob", "test", "buckets", "node_modules", ".bin")
	addr := free(t)
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("AZURITE_ACCOUNTS", Key+":"+azureKey)
	start(t, addr, program, "--blobHost", host, "--blobPort", port, "--location", t.TempDir(), "--silent", "--disableTelemetry")
	for _, c := range containers {
		makeContainer(t, addr, c)
	}
	p := NewProxy(t, "http://"+addr)
	t.Setenv("AZURE_STORAGE_ACCOUNT", Key)
	t.Setenv("AZURE_STORAGE_KEY", azureKey)
	t.Setenv("AZURE_STORAGE_DOMAIN", strings.TrimPrefix(p.URL, "http://"))
	t.Setenv("AZURE_STORAGE_PROTOCOL", "http")
	return &Server{p, func(bucket string) string { return "azblob://" + bucket }}
}

// makeContainer asks for a container, signed with the account's key:
// https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key
func makeContainer(t testing.TB, addr, name string) {
	t.Helper()
	path := "/" + Key + "/" + name
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://"+addr+path+"?restype=container", nil)
	if err != nil {
		t.Fatal(err)
	}
	const version = "2021-08-06"
	now := time.Now().UTC().Format(http.TimeFormat)
	r.Header.Set("x-ms-date", now)
	r.Header.Set("x-ms-version", version)
	signed := hmac.New(sha256.New, []byte(Secret))
	signed.Write([]byte(http.MethodPut + strings.Repeat("\n", 12) + "x-ms-date:" + now + "\nx-ms-version:" + version + "\n/" + Key + path + "\nrestype:container"))
	r.Header.Set("Authorization", "SharedKey "+Key+":"+base64.StdEncoding.EncodeToString(signed.Sum(nil)))
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := answer.Body.Close(); err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != http.StatusCreated {
		t.Fatalf("making the container %s: %s", name, answer.Status)
	}
}
