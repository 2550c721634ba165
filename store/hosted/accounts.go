package hosted

import (
	"context"
	"time"
)

// Account is somebody who can own or do something.
type Account struct {
	ID        int64
	Login     string
	Name      string
	Email     string
	Kind      string // User, Bot, Organization
	Admin     bool
	CreatedAt time.Time
}

var accounts = table[Account]{"hosted_accounts", "id login name email kind admin created_at", 1, func(a *Account) []any {
	return []any{&a.ID, &a.Login, &a.Name, &a.Email, &a.Kind, &a.Admin, instant{&a.CreatedAt}}
}}

// AddAccount adds an account and draws its id; ErrExists if the login is taken.
func (q *Queries) AddAccount(ctx context.Context, a Account) (Account, error) {
	var err error
	if a.ID, err = q.NextID(ctx); err != nil {
		return a, err
	}
	return a, accounts.insert(ctx, q, &a)
}

// UpdateAccount changes the account of that id.
func (q *Queries) UpdateAccount(ctx context.Context, a Account) error {
	return accounts.update(ctx, q, &a)
}

// Account finds an account by its login, whatever the case of its letters.
func (q *Queries) Account(ctx context.Context, login string) (Account, error) {
	return accounts.one(ctx, q, "WHERE lower(login) = lower($1)", login)
}

// AccountByEmail finds the account behind an address in a commit.
func (q *Queries) AccountByEmail(ctx context.Context, email string) (Account, error) {
	return accounts.one(ctx, q, "WHERE email <> '' AND lower(email) = lower($1) ORDER BY id", email)
}

// token is a credential; only its hash is kept.
type token struct {
	Hash      string
	AccountID int64
	CreatedAt time.Time
}

var tokens = table[token]{"hosted_tokens", "hash account_id created_at", 1, func(t *token) []any {
	return []any{&t.Hash, &t.AccountID, instant{&t.CreatedAt}}
}}

// AddToken lets whoever knows the preimage of hash act as the account.
func (q *Queries) AddToken(ctx context.Context, hash string, accountID int64, now time.Time) error {
	return tokens.insert(ctx, q, &token{hash, accountID, now})
}

// AccountByToken returns the account that a token's hash stands for.
func (q *Queries) AccountByToken(ctx context.Context, hash string) (Account, error) {
	return accounts.one(ctx, q, "WHERE id = (SELECT account_id FROM hosted_tokens WHERE hash = $1)", hash)
}
