package sign

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strconv"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	protodsse "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
)

// What cosign wrote before there were bundles is read by making bundles of it,
// v0.1, which need no proof of inclusion. So one verifier serves for all.

// oldBundleType is the media type of bundles v0.1.
const oldBundleType = "application/vnd.dev.sigstore.bundle+json;version=0.1"

// material is a signature in parts.
type material struct {
	signature   []byte
	certificate []byte // PEM, or base64 of PEM; nil if a key signed
	record      []byte // cosign's record of the log entry, JSON
	timestamp   []byte // cosign's record of a time stamp, JSON
	envelope    *protodsse.Envelope
	payload     []byte
}

// logRecord is the annotation dev.sigstore.cosign/bundle.
type logRecord struct {
	SignedEntryTimestamp []byte
	Payload              struct {
		Body           any    `json:"body"`
		IntegratedTime int64  `json:"integratedTime"`
		LogIndex       int64  `json:"logIndex"`
		LogID          string `json:"logID"`
	}
}

func assemble(m material) (Bundle, error) {
	vm := &protobundle.VerificationMaterial{Content: &protobundle.VerificationMaterial_PublicKey{PublicKey: &protocommon.PublicKeyIdentifier{}}}
	if len(bytes.TrimSpace(m.certificate)) > 0 {
		der, err := certificateDER(m.certificate)
		if err != nil {
			return Bundle{}, err
		}
		vm.Content = &protobundle.VerificationMaterial_X509CertificateChain{X509CertificateChain: &protocommon.X509CertificateChain{
			Certificates: []*protocommon.X509Certificate{{RawBytes: der}},
		}}
	}
	if len(m.record) > 0 {
		entry, err := logEntry(m.record)
		if err != nil {
			return Bundle{}, err
		}
		vm.TlogEntries = []*protorekor.TransparencyLogEntry{entry}
	}
	if len(m.timestamp) > 0 {
		var stamp struct{ SignedRFC3161Timestamp []byte }
		if err := json.Unmarshal(m.timestamp, &stamp); err != nil {
			return Bundle{}, fmt.Errorf("the signature's time stamp: %w", err)
		}
		vm.TimestampVerificationData = &protobundle.TimestampVerificationData{
			Rfc3161Timestamps: []*protocommon.RFC3161SignedTimestamp{{SignedTimestamp: stamp.SignedRFC3161Timestamp}},
		}
	}
	p := &protobundle.Bundle{MediaType: oldBundleType, VerificationMaterial: vm}
	if m.envelope != nil {
		p.Content = &protobundle.Bundle_DsseEnvelope{DsseEnvelope: m.envelope}
	} else {
		// The digest is set when what was signed is at hand.
		p.Content = &protobundle.Bundle_MessageSignature{MessageSignature: &protocommon.MessageSignature{Signature: m.signature}}
	}
	b := Bundle{proto: p, payload: m.payload}
	if _, err := b.entity(); err != nil {
		return Bundle{}, fmt.Errorf("not a signature that can be verified: %w", err)
	}
	return b, nil
}

func certificateDER(text []byte) ([]byte, error) {
	if len(text) > maxKeyFile {
		return nil, fmt.Errorf("a certificate of %d bytes: this is something else", len(text))
	}
	if raw, err := base64.StdEncoding.DecodeString(string(bytes.TrimSpace(text))); err == nil {
		text = raw
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, errors.New("the signer's certificate is not in PEM")
	}
	if _, err := x509.ParseCertificate(block.Bytes); err != nil {
		return nil, fmt.Errorf("the signer's certificate: %w", err)
	}
	return block.Bytes, nil
}

func logEntry(record []byte) (*protorekor.TransparencyLogEntry, error) {
	var r logRecord
	if err := json.Unmarshal(record, &r); err != nil {
		return nil, fmt.Errorf("the record of the transparency log: %w", err)
	}
	encoded, ok := r.Payload.Body.(string)
	if !ok {
		return nil, errors.New("the record of the transparency log has no body")
	}
	body, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, fmt.Errorf("the record of the transparency log: %w", err)
	}
	id, err := hex.DecodeString(r.Payload.LogID)
	if err != nil {
		return nil, fmt.Errorf("the record of the transparency log: its log's id: %w", err)
	}
	var kind struct {
		Kind    string `json:"kind"`
		Version string `json:"apiVersion"`
	}
	if err := json.Unmarshal(body, &kind); err != nil {
		return nil, fmt.Errorf("the record of the transparency log: %w", err)
	}
	return &protorekor.TransparencyLogEntry{
		LogIndex: r.Payload.LogIndex, LogId: &protocommon.LogId{KeyId: id}, IntegratedTime: r.Payload.IntegratedTime,
		KindVersion:       &protorekor.KindVersion{Kind: kind.Kind, Version: kind.Version},
		InclusionPromise:  &protorekor.InclusionPromise{SignedEntryTimestamp: r.SignedEntryTimestamp},
		CanonicalizedBody: body,
	}, nil
}

// recordOf is the reverse: what is written to the annotation. ok is false for an
// entry without a promise, which the annotation cannot hold.
func recordOf(b Bundle) (text []byte, ok bool, err error) {
	entries := b.proto.GetVerificationMaterial().GetTlogEntries()
	if len(entries) == 0 || entries[0].GetInclusionPromise() == nil {
		return nil, false, nil
	}
	e := entries[0]
	r := logRecord{SignedEntryTimestamp: e.GetInclusionPromise().GetSignedEntryTimestamp()}
	r.Payload.Body = base64.StdEncoding.EncodeToString(e.GetCanonicalizedBody())
	r.Payload.IntegratedTime, r.Payload.LogIndex = e.GetIntegratedTime(), e.GetLogIndex()
	r.Payload.LogID = hex.EncodeToString(e.GetLogId().GetKeyId())
	text, err = json.Marshal(r)
	return text, true, err
}

// parseOldBundle reads what cosign sign-blob --bundle wrote.
func parseOldBundle(data []byte) (Bundle, error) {
	var old struct {
		Signature []byte          `json:"base64Signature"`
		Cert      string          `json:"cert"`
		Record    json.RawMessage `json:"rekorBundle"`
	}
	if err := json.Unmarshal(data, &old); err != nil {
		return Bundle{}, fmt.Errorf("not a bundle: %w", err)
	}
	m := material{signature: old.Signature, certificate: []byte(old.Cert)}
	if len(old.Record) > 0 && string(old.Record) != "null" {
		m.record = old.Record
	}
	// Some have a public key where the certificate should be.
	if block, _ := pem.Decode(m.certificate); block != nil && block.Type == "PUBLIC KEY" {
		m.certificate = nil
	} else if raw, err := base64.StdEncoding.DecodeString(old.Cert); err == nil {
		if block, _ := pem.Decode(raw); block != nil && block.Type == "PUBLIC KEY" {
			m.certificate = nil
		}
	}
	return assemble(m)
}

// parseEnvelope reads a DSSE envelope in JSON.
func parseEnvelope(text []byte) (*protodsse.Envelope, error) {
	var e struct {
		PayloadType string `json:"payloadType"`
		Payload     []byte `json:"payload"`
		Signatures  []struct {
			KeyID string `json:"keyid"`
			Sig   []byte `json:"sig"`
		} `json:"signatures"`
	}
	if err := json.Unmarshal(text, &e); err != nil {
		return nil, fmt.Errorf("not a signed envelope: %w", err)
	}
	if len(e.Signatures) != 1 {
		return nil, errors.New("not a signed envelope: it has " + strconv.Itoa(len(e.Signatures)) + " signatures, one is expected")
	}
	return &protodsse.Envelope{PayloadType: e.PayloadType, Payload: e.Payload,
		Signatures: []*protodsse.Signature{{Keyid: e.Signatures[0].KeyID, Sig: e.Signatures[0].Sig}}}, nil
}
